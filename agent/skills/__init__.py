"""Skills: how to do something well, told to the model when it is asked for.

The format is the open one of Agent Skills (https://agentskills.io/specification): a folder with a
SKILL.md, and scripts/, references/ and assets/ beside it. `format` reads and checks one, `places`
finds those that there are, `telling` says how they reach the model.
"""

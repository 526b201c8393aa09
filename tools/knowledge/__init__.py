"""Documents that are searched: read, cut, embedded, kept in Chroma, found again with their lines.

walk.py      the files of a folder, without those that .gitignore names
formats.py   a file -> blocks: headings, paragraphs, code, rows, each with its lines
passages.py  blocks -> passages of about one size, the unit of search
store.py     passages in Chroma: the truth, shared by all who use one server
mirror.py    their words in SQLite FTS5, made again from the store whenever it differs
reranker.py  what was found, ordered anew by a model that reads question and passage together
library.py   add, search, list, remove: start reading here
"""

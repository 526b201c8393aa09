"""How near documents come to questions that they answer, and to requests of other kinds.

    TINSMITH_DATA=DATA python -m benchmarks.known

The abstracts and the questions are Cranfield's; the other requests those of `fits.jsonl`, and
utterances of CLINC150. The constants of `agent/offering.py` (IS_KNOWN) come from it.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

import numpy as np

from agent import catalog
from agent.offering import IS_KNOWN
from agent.settings import home
from benchmarks.parts import data
from benchmarks.retrieval import documents, records
from tools.knowledge.library import DEFAULT, Library

DRAWN = 300
PERCENTILES = (1, 5, 50, 95, 99)


def main() -> None:
    rows = Path(__file__).with_name("fits.jsonl").read_text("utf-8").splitlines()
    utterances = json.loads((data("clinc150") / "data_full.json").read_text("utf-8"))["test"]
    drawn = random.Random(1).sample(utterances, DRAWN)
    asked = {
        "Cranfield's questions": [" ".join(text.split()) for _, text in records("cran.qry")],
        "requests of fits.jsonl": [json.loads(row)["request"] for row in rows],
        "utterances of CLINC150": [text for text, _ in drawn],
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "home").mkdir()
        (Path(folder) / "home" / "models").symlink_to(home() / "models")
        library = Library(Path(folder) / "home", "", catalog.EMBEDDER)
        documents(Path(folder) / "cranfield")
        library.add([Path(folder) / "cranfield"], DEFAULT)
        print(f"{'':26}{''.join(f'{one:>8} %' for one in PERCENTILES)}   over {IS_KNOWN}")
        for name, texts in asked.items():
            near = np.array([library.nearest(text)[1] for text in texts])
            shown = "".join(f"{one:>10.2f}" for one in np.percentile(near, PERCENTILES))
            print(f"{name:26}{shown}   {(near > IS_KNOWN).mean():.1%}")
        library.close()


if __name__ == "__main__":
    main()

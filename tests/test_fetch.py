"""Pulling models with the real program, from a hub on this machine that can misbehave."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from agent import catalog
from tools.quiet import QUIET
from tools.storage import size_of

ROOT = Path(__file__).parent.parent
SMALL = "smollm2-135m"


class Hub:
    """Serves repositories like the model hub: a listing with SHA-256, files with ranges."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.lies: dict[str, bytes] = {}
        """What is served in place of a file."""
        self.sizes: dict[str, int] = {}
        """What the listing says in place of a file's size."""
        self.cuts: list[int] = []
        """After so many bytes the next answers break off."""
        self.commit = "1" * 40
        self.asked: list[tuple[str, int]] = []
        """Files that were asked for, and from which byte on."""
        self.told: list[str] = []
        """What the programs that asked said about themselves."""
        self.stalled = threading.Event()
        self.stall_after: int | None = None
        hub = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(request.path).path)
        if path.startswith("/api/models/"):
            self._list(request, path.removeprefix("/api/models/").split("/revision/")[0])
            return
        repository, _, rest = path[1:].partition("/resolve/")
        file = rest.partition("/")[2]
        body = self.repositories.get(repository, {}).get(file)
        if body is None:
            request.send_error(404)
            return
        self._send(request, file, self.lies.get(file, body))

    def _list(self, request: BaseHTTPRequestHandler, repository: str) -> None:
        self.told.append(request.headers.get("User-Agent", ""))
        files = self.repositories.get(repository)
        if files is None:
            request.send_response(404)
            request.send_header("X-Error-Code", "RepoNotFound")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        siblings = []
        for name, body in files.items():
            size = self.sizes.get(name, len(body))
            facts: dict[str, object] = {"rfilename": name, "size": size}
            if name.endswith((".safetensors", ".gguf")):
                sha256 = hashlib.sha256(body).hexdigest()
                facts["lfs"] = {"sha256": sha256, "size": size, "pointerSize": 134}
            siblings.append(facts)
        answer = {"id": repository, "modelId": repository, "sha": self.commit, "private": False,
                  "tags": [], "downloads": 0, "likes": 0, "siblings": siblings}  # fmt: skip
        text = json.dumps(answer).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def _send(self, request: BaseHTTPRequestHandler, file: str, body: bytes) -> None:
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        self.asked.append((file, start))
        if start > len(body) or (start == len(body) and start):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body) - start))
        request.end_headers()
        if self.stall_after is not None:
            end, self.stall_after = start + self.stall_after, None
            request.wfile.write(body[start:end])
            request.wfile.flush()
            self.stalled.wait(60)
            return
        end = start + self.cuts.pop(0) if self.cuts else len(body)
        request.wfile.write(body[start:end])


@pytest.fixture
def hub() -> Iterator[Hub]:
    one = Hub()
    yield one
    one.stalled.set()
    one.close()


@pytest.fixture
def served(hub: Hub, smollm: Path) -> Hub:
    """The hub has the real file of the smallest model."""
    one = catalog.entry(SMALL)
    hub.repositories[one.hub] = {one.file: smollm.read_bytes()}
    return hub


@pytest.fixture
def folder_model(hub: Hub) -> str:
    hub.repositories["org/tiny"] = {
        "config.json": b'{"model_type": "llama"}',
        "model-00001-of-00002.safetensors": b"a" * 3_000_000,
        "model-00002-of-00002.safetensors": b"b" * 2_000_000,
        "tokenizer.json": b"{}",
        "modeling_tiny.py": b"import os",
        "pytorch_model.bin": b"pickle",
        "onnx/model.onnx": b"onnx",
        "original/consolidated.safetensors": b"c",
    }
    return "org/tiny"


Program = Callable[..., "subprocess.CompletedProcess[str]"]


def started(hub: Hub | None, *words: str, largest: int | None = None) -> subprocess.Popen[str]:
    """`tinsmith WORDS` with `hub`; the package index does not answer. `largest`: of a file."""
    address = hub.url if hub else "http://127.0.0.1:9"  # the port that discards
    # an agent that another test built in this process has gone offline
    inherited = {key: value for key, value in os.environ.items() if key not in QUIET}

    def limit() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    return subprocess.Popen(
        [sys.executable, "-P", "-m", "agent", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit,
        env={**inherited, "PYTHONPATH": str(ROOT), "HF_ENDPOINT": address,
             "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull},
    )  # fmt: skip


def tinsmith(hub: Hub | None, *words: str, largest: int | None = None) -> tuple[int, str, str]:
    program = started(hub, *words, largest=largest)
    out, err = program.communicate(timeout=120)
    assert "Traceback" not in err
    return program.returncode, out, err


def test_a_model_of_the_catalogue_comes_from_the_hub_and_is_checked(served: Hub) -> None:
    code, out, _ = tinsmith(served, "models", "pull", SMALL)
    assert code == 0
    assert Path(out.strip()) == catalog.path_of(SMALL)
    assert not catalog.unfinished(SMALL).exists()
    assert tinsmith(None, "models", "pull", SMALL)[0] == 0  # nothing is fetched again


def test_a_pull_that_is_interrupted_twice_goes_on(served: Hub) -> None:
    served.cuts = [30_000_000, 20_000_000]
    for _ in range(2):
        code, _, err = tinsmith(served, "models", "pull", SMALL)
        assert code == 1
        assert "what has come is kept" in err
        assert not catalog.is_here(SMALL)
    assert tinsmith(served, "models", "pull", SMALL)[0] == 0
    begins = [start for _, start in served.asked]
    assert begins[0] == 0
    assert 0 < begins[1] < begins[2]


def test_a_pull_that_is_killed_leaves_no_model_and_goes_on(served: Hub) -> None:
    served.stall_after = 40_000_000
    program = started(served, "models", "pull", SMALL)
    partial = catalog.unfinished(SMALL) / "partial"
    while not (partial.exists() and any(f.stat().st_size > 1e7 for f in partial.iterdir())):
        assert program.poll() is None
    program.send_signal(signal.SIGKILL)
    program.communicate()
    assert not catalog.is_here(SMALL)
    assert "begun" in tinsmith(None, "models")[1]
    assert tinsmith(served, "models", "pull", SMALL)[0] == 0
    assert served.asked[1][1] > 0


def test_a_second_pull_at_the_same_time_is_told_to_wait(served: Hub) -> None:
    served.stall_after = 1_000_000
    first = started(served, "models", "pull", SMALL)
    while not served.asked:
        assert first.poll() is None
    code, _, err = tinsmith(served, "models", "pull", SMALL)
    assert (code, "by another program" in err) == (1, True)
    first.kill()
    first.communicate()


def test_a_file_with_a_wrong_hash_is_refused_and_deleted(served: Hub) -> None:
    one = catalog.entry(SMALL)
    served.lies[one.file] = bytes(one.bytes)
    code, _, err = tinsmith(served, "models", "pull", SMALL)
    assert code == 1
    assert "has SHA-256" in err
    assert not catalog.is_here(SMALL)
    assert not catalog.unfinished(SMALL).exists()


def test_without_a_network_both_sources_are_named() -> None:
    code, _, err = tinsmith(None, "models", "pull", SMALL)
    assert code == 1
    assert "the hub: " in err
    assert "the mirror: " in err


def test_a_folder_that_goes_while_it_is_measured_does_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "stays").write_bytes(b"12345")
    scandir = os.scandir

    def after_removal(path: str) -> object:
        if Path(path) == tmp_path / "gone":
            (tmp_path / "gone").rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", after_removal)
    assert size_of(tmp_path) == 5


def test_a_pip_in_the_working_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    tinsmith(None, "models", "pull", SMALL)
    assert not (tmp_path / "ran").exists()


def test_a_pull_tells_the_hub_nothing_about_what_is_installed(hub: Hub, folder_model: str) -> None:
    assert tinsmith(hub, "models", "pull", folder_model)[0] == 0
    assert hub.told
    assert not [agent for agent in hub.told if "torch" in agent]


def test_a_disk_that_gets_full_keeps_what_came(served: Hub) -> None:
    code, _, err = tinsmith(served, "models", "pull", SMALL, largest=20_000_000)
    assert code == 1
    assert f"cannot store {SMALL}" in err
    assert not catalog.is_here(SMALL)
    assert tinsmith(served, "models", "pull", SMALL)[0] == 0


def test_a_model_larger_than_the_disk_is_refused_at_once(hub: Hub, folder_model: str) -> None:
    hub.sizes["model-00001-of-00002.safetensors"] = 10**16
    code, _, err = tinsmith(hub, "models", "pull", folder_model)
    assert (code, "make room" in err) == (1, True)
    assert hub.asked == []


def test_a_hub_id_becomes_a_folder_without_code_and_pickles(hub: Hub, folder_model: str) -> None:
    code, out, _ = tinsmith(hub, "models", "pull", folder_model)
    assert code == 0
    assert sorted(file.name for file in Path(out.strip()).iterdir()) == [
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "tokenizer.json",
    ]
    assert catalog.resolve(folder_model) == catalog.folder(folder_model)
    assert folder_model in tinsmith(None, "models")[1]
    assert tinsmith(None, "models", "rm", folder_model)[0] == 0
    assert catalog.here() == []


def test_a_shard_with_a_wrong_hash_is_refused(hub: Hub, folder_model: str) -> None:
    hub.lies["model-00002-of-00002.safetensors"] = b"x" * 2_000_000
    code, _, err = tinsmith(hub, "models", "pull", folder_model)
    assert (code, "has SHA-256" in err) == (1, True)
    assert catalog.here() == []


def test_parts_of_an_older_commit_are_not_mixed_in(hub: Hub, folder_model: str) -> None:
    hub.cuts = [len(b'{"model_type": "llama"}'), 3_000_000, 100_000]
    assert tinsmith(hub, "models", "pull", folder_model)[0] == 1
    files = hub.repositories[folder_model]
    files["model-00001-of-00002.safetensors"] = b"n" * 3_000_000
    hub.commit = "2" * 40
    assert tinsmith(hub, "models", "pull", folder_model)[0] == 0
    whole = catalog.folder(folder_model) / "model-00001-of-00002.safetensors"
    assert whole.read_bytes() == files[whole.name]


def test_a_repository_of_gguf_files_asks_which_one(hub: Hub) -> None:
    hub.repositories["org/quants"] = {"a-q4.gguf": b"GGUF-a", "b-q8.gguf": b"GGUF-b"}
    code, _, err = tinsmith(hub, "models", "pull", "org/quants")
    assert (code, "org/quants/a-q4.gguf, org/quants/b-q8.gguf" in err) == (1, True)
    name = "org/quants/b-q8.gguf"
    assert tinsmith(hub, "models", "pull", name)[0] == 0
    assert catalog.resolve(name).read_bytes() == b"GGUF-b"


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("smollm2", 2, "did you mean smollm2-135m"),
        ("org/none", 1, "the hub has no model org/none"),
        ("../evil", 2, "no model named"),
        ("", 2, "no model named"),
    ],
)
def test_a_name_that_is_none_says_so(hub: Hub, name: str, code: int, says: str) -> None:
    done, _, err = tinsmith(hub, "models", "pull", name)
    assert (done, says in err) == (code, True), err


@pytest.mark.parametrize("name", ["", ".", "..", "../..", "none"])
def test_removing_what_is_not_there_removes_nothing(state: Path, name: str) -> None:
    other = catalog.folder("other")
    other.mkdir(parents=True)
    code, _, err = tinsmith(None, "models", "rm", name)
    assert (code, "is not on this machine" in err) == (1, True)
    assert other.is_dir()

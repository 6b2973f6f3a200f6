"""The lab's services are real, say clearly what is wrong, and leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request
from pathlib import Path

import asyncpg
import psutil
import psycopg
import psycopg2
import pytest
import redis as redis_client
from sqlalchemy import create_engine, text

from lab import services
from lab.processes import ServiceError, free_port

REPOSITORY = Path(services.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def db():
    with services.postgres() as server:
        yield server


@pytest.fixture(scope="module")
def partner():
    with services.upstream(latency_ms=30) as server:
        yield server


@pytest.fixture
def open_folder():
    """A folder that a server which runs as another user can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def get(url: str, method: str = "GET") -> object:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
        return json.load(answer)


def eventually(holds, timeout_s: float = 15.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class TestPostgres:
    def test_one_url_serves_every_driver(self, db):
        async def with_asyncpg() -> int:
            connection = await asyncpg.connect(db.url)
            try:
                return await connection.fetchval("SELECT 41 + 1")
            finally:
                await connection.close()

        assert asyncio.run(with_asyncpg()) == 42
        with psycopg.connect(db.url) as connection:
            assert connection.execute("SELECT 41 + 1").fetchone() == (42,)
        connection = psycopg2.connect(db.url)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 41 + 1")
                assert cursor.fetchone() == (42,)
        finally:
            connection.close()
        engine = create_engine(db.url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 41 + 1")).scalar() == 42
        engine.dispose()

    def test_it_is_a_current_server_with_room_for_many_pools(self, db):
        with psycopg.connect(db.url) as connection:
            assert connection.info.server_version >= 180000
            assert connection.execute("SHOW max_connections").fetchone() == ("200",)

    def test_asking_for_a_database_twice_keeps_its_data(self, db):
        with psycopg.connect(db.database("kept"), autocommit=True) as connection:
            connection.execute("CREATE TABLE notes AS SELECT 7 AS n")
        with psycopg.connect(db.database("kept")) as connection:
            assert connection.execute("SELECT n FROM notes").fetchone() == (7,)

    def test_nobody_without_the_password_gets_in(self, db):
        stranger = db.url.split(":")[0] + "://postgres:guess@" + db.url.split("@")[1]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(stranger)

    def test_ending_the_block_ends_the_server_though_a_client_is_connected(self):
        with services.postgres() as server:
            client = psycopg.connect(server.url)
        assert not psutil.pid_exists(server.pid)
        client.close()


class TestRedis:
    def test_it_keeps_values_and_is_gone_after_its_block(self):
        with services.redis() as server:
            client = redis_client.from_url(server.url)
            client.set("colour", "green")
            assert client.get("colour") == b"green"
            client.close()
        assert not psutil.pid_exists(server.pid)


class TestUpstream:
    @pytest.mark.parametrize(
        ("path", "key"),
        [
            ("/profile/7", "tier"),
            ("/rates", "rates"),
            ("/recommendations/7", "products"),
            ("/stock/SKU-000007", "units"),
            ("/reviews/7", "reviews"),
        ],
    )
    def test_an_answer_depends_on_the_path_alone(self, partner, path, key):
        first = get(partner.url + path)
        assert key in first
        assert get(partner.url + path) == first

    def test_every_answer_takes_the_latency_that_was_set(self, partner):
        start = time.monotonic()
        get(partner.url + "/rates")
        assert time.monotonic() - start >= 0.03

    @pytest.mark.parametrize("path", ["/", "/profile", "/profile/seven", "/rates/1/2"])
    def test_what_it_does_not_have_is_a_404(self, partner, path):
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(partner.url + path)
        assert caught.value.code == 404
        caught.value.close()

    def test_it_counts_calls_by_resource(self, partner):
        partner.reset()
        get(partner.url + "/profile/1")
        get(partner.url + "/profile/2")
        get(partner.url + "/audit", "POST")
        assert partner.stats() == {"calls": {"profile": 2, "audit": 1}, "connections": 3}


class TestFaults:
    def test_a_missing_package_is_named_with_the_remedy(self, monkeypatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(ServiceError, match=r"Redis is missing.*pip install"), services.redis():
            pass

    def test_an_app_that_dies_at_start_shows_its_own_words(self):
        with (
            pytest.raises(ServiceError, match='import module "no_such_app"'),
            services.app_server("no_such_app:app"),
        ):
            pass

    def test_a_command_that_does_not_exist(self, tmp_path):
        from lab.processes import child

        with (
            pytest.raises(ServiceError, match=r"ghost could not be started.*No such file"),
            child("ghost", ["/no/such/program"], folder=tmp_path / "absent"),
        ):
            pass

    def test_killing_the_owner_takes_servers_and_files_with_it(self, open_folder):
        script = textwrap.dedent("""
            import signal
            from lab import services
            with services.postgres() as db, services.redis() as cache, services.upstream() as up:
                print(db.pid, cache.pid, up.pid, flush=True)
                signal.pause()
        """)
        owner = subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env={**os.environ, "TMPDIR": str(open_folder)},
        )
        assert owner.stdout is not None
        with owner.stdout as stdout:
            pids = [int(word) for word in stdout.readline().split()]
        assert len(pids) == 3
        assert all(psutil.pid_exists(pid) for pid in pids)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids))
        assert eventually(lambda: not list(open_folder.iterdir()))

    def test_killing_the_watchdog_takes_the_server_with_it(self):
        if sys.platform != "linux":
            pytest.skip("only Linux ends a child with its parent")
        with services.redis() as server:
            psutil.Process(server.pid).parent().kill()
            assert eventually(lambda: not psutil.pid_exists(server.pid))


class TestAppServer:
    def test_workers_end_with_their_server(self):
        with services.app_server("lab.upstream:app", workers=2, args=("--lifespan", "off")) as app:
            workers = psutil.Process(app.pid).children(recursive=True)
            assert get(app.url + "/stats")["calls"].keys() <= {"unknown"}
        assert len(workers) >= 2
        assert eventually(lambda: not any(worker.is_running() for worker in workers))


def test_free_ports_differ_and_can_be_bound():
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == 20


class TestCommandLine:
    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lab.services", "--latency-ms", "1", "--", *command],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
        )

    def test_the_command_finds_the_services_and_its_exit_code_is_kept(self):
        done = self.run(
            sys.executable,
            "-c",
            "import os, psycopg, redis, sys, urllib.request\n"
            "psycopg.connect(os.environ['SHOP_DATABASE_URL']).close()\n"
            "redis.from_url(os.environ['SHOP_REDIS_URL']).ping()\n"
            "urllib.request.urlopen(os.environ['SHOP_UPSTREAM_URL'] + '/rates').close()\n"
            "sys.exit(7)",
        )
        assert (done.returncode, done.stderr) == (7, "")

    def test_a_command_that_cannot_be_run_is_a_usage_error(self):
        done = self.run("no-such-program")
        assert done.returncode == 2
        assert done.stderr == "cannot run no-such-program: No such file or directory\n"

    def test_sigterm_ends_the_command_and_the_services(self, open_folder):
        program = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
        owner = subprocess.Popen(
            [sys.executable, "-m", "lab.services", "--", sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env={**os.environ, "TMPDIR": str(open_folder)},
        )
        assert owner.stdout is not None
        with owner.stdout as stdout:
            command = psutil.Process(int(stdout.readline()))
        owner.terminate()
        assert owner.wait(30) == 128 + signal.SIGTERM
        assert not command.is_running()
        assert list(open_folder.iterdir()) == []

"""The files of `deploy/` agree with the app, with each other, and with the programs that read them."""

import re
import shutil
import subprocess
import tomllib
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from streamlit import config

from deploy.serve import SECRET, TEMPLATE, environment_of, proxy_config
from explorer.addresses import network_addresses, own_interfaces
from explorer.views.wall import TEACHER_VARIABLE
from explorer.wall import WALL_VARIABLE
from tests.conftest import ROOT, cannot_run

DEPLOY = ROOT / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HEALTH = "/_stcore/health"


@pytest.fixture(scope="module")
def containerfile() -> dict[str, list[str]]:
    """Its instructions by name, each with its lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in filter(None, text.splitlines()):
        name, _, rest = line.partition(" ")
        found.setdefault(name, []).append(re.sub(r"\s+", " ", rest))
    return found


@pytest.fixture(scope="module")
def image_environment(containerfile: dict[str, list[str]]) -> dict[str, str]:
    return dict(each.split("=", 1) for line in containerfile["ENV"] for each in line.split(" "))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"])


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    """By kind."""
    return {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())}


@pytest.fixture(scope="module")
def container(manifest: dict[str, Any]) -> dict[str, Any]:
    (found,) = manifest["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_image_has_all_that_the_app_reads_and_is_let_see_it(containerfile: dict[str, list[str]]) -> None:
    copied = {source for line in containerfile["COPY"] for source in line.split()[:-1]}
    assert copied == {
        *(".streamlit", "training", "explorer", "streamlit_app.py", "docs", "data", "checkpoints"),
        *("pyproject.toml", "requirements.txt", PROJECT["readme"], *PROJECT["license-files"]),
    }
    everything, *exceptions = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")
    ]
    assert everything == "*"
    let_through = {line[1:] for line in exceptions if line.startswith("!")}
    assert {each.split("/")[0] for each in let_through} == copied
    assert all((ROOT / each).exists() for each in let_through)
    shipped = subprocess.run(["git", "ls-files", "data"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert all(any(file.startswith(each) for each in let_through) for file in shipped)
    imported = set(re.findall(r"^(?:from|import) (\w+)", (ROOT / "streamlit_app.py").read_text(), re.MULTILINE))
    own = {each for each in imported if (ROOT / each).is_dir()}
    assert own == {"explorer", "training"} <= copied


def test_image_has_a_python_that_the_project_takes_and_a_user_who_is_not_root(
    containerfile: dict[str, list[str]], manifest: dict[str, Any], container: dict[str, Any]
) -> None:
    version = re.fullmatch(r"docker.io/library/python:([\d.]+)-slim", containerfile["FROM"][0])
    assert version
    assert version[1] in SpecifierSet(PROJECT["requires-python"])
    (user,) = containerfile["USER"]
    assert int(user) > 0
    assert f"--uid {user} " in containerfile["RUN"][-1]
    of_pod = manifest["Deployment"]["spec"]["template"]["spec"]["securityContext"]
    assert of_pod["runAsNonRoot"]
    assert of_pod["runAsUser"] == int(user)
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_all_listen_and_look_where_the_others_do(
    containerfile: dict[str, list[str]],
    image_environment: dict[str, str],
    compose: dict[str, Any],
    manifest: dict[str, Any],
    container: dict[str, Any],
) -> None:
    port = image_environment["STREAMLIT_SERVER_PORT"]
    assert containerfile["EXPOSE"] == [port]
    assert f"http://localhost:{port}" in containerfile["HEALTHCHECK"][0]
    assert HEALTH in containerfile["HEALTHCHECK"][0]
    assert compose["proxy"]["environment"]["REPLICAS_AT"] == f"app:{port}"
    assert compose["proxy"]["ports"] == [f"${{PORT:-8501}}:{compose['proxy']['environment']['PORT']}"]
    (named,) = container["ports"]
    assert named["containerPort"] == int(port)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": HEALTH, "port": named["name"]}
    (service,) = manifest["Service"]["spec"]["ports"]
    assert service["targetPort"] == named["name"]
    assert (
        manifest["Service"]["spec"]["selector"].items()
        <= manifest["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    )
    backend = manifest["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": manifest["Service"]["metadata"]["name"], "port": {"name": service["name"]}}
    assert manifest["Service"]["metadata"]["annotations"]["haproxy.org/check-http"] == HEALTH
    assert f"cookie {manifest['Service']['metadata']['annotations']['haproxy.org/cookie-persistence']} insert" in (
        TEMPLATE.read_text()
    )


def test_settings_are_those_of_streamlit_and_every_replica_gets_the_secret(
    image_environment: dict[str, str], compose: dict[str, Any], container: dict[str, Any]
) -> None:
    known = {
        "STREAMLIT_" + re.sub("([A-Z])", r"_\1", key).replace(".", "_").upper()
        for key in config._config_options_template
    }
    ours = environment_of(1, "x", base_path="", is_secure=False)
    by_place = [image_environment, compose["app"]["environment"], [each["name"] for each in container["env"]], ours]
    for names in by_place:
        assert {each for each in names if each.startswith("STREAMLIT_")} <= known
    assert all(SECRET in names for names in by_place[1:])
    assert ours["STREAMLIT_SERVER_ADDRESS"] == "127.0.0.1"


def test_replicas_of_compose_share_a_wall(compose: dict[str, Any]) -> None:
    environment = compose["app"]["environment"]
    assert environment[WALL_VARIABLE] == "redis://wall:6379"
    assert {"wall", "proxy", "app"} == set(compose)
    assert TEACHER_VARIABLE in environment


def test_what_compose_mounts_and_limits(compose: dict[str, Any], image_environment: dict[str, str]) -> None:
    app, proxy = compose["app"], compose["proxy"]
    assert app["read_only"]
    assert app["tmpfs"] == [image_environment["HOME"]] == [image_environment["XDG_CACHE_HOME"]]
    assert {each.split(":")[1] for each in app["volumes"]} == {"/app/checkpoints", "/app/data"}
    assert (DEPLOY / proxy["volumes"][0].split(":")[0]).samefile(TEMPLATE)
    assert (DEPLOY / app["build"]["context"] / app["build"]["dockerfile"]).samefile(DEPLOY / "Containerfile")


@pytest.mark.parametrize("how", ["processes", "compose"])
def test_haproxy_takes_the_one_template(how: str, compose: dict[str, Any], tmp_path: Any) -> None:
    if not (haproxy := shutil.which("haproxy")):
        cannot_run("no HAProxy found, so its configuration is not tested: `apt install haproxy`")
    config_file = tmp_path / "haproxy.cfg"
    told = {"PORT": "8501", "BASE_PATH": "/lecture", "SOCKET": str(tmp_path / "inside.sock")}
    if how == "compose":
        told = {**compose["proxy"]["environment"], "BASE_PATH": "", "SOCKET": told["SOCKET"]}
        config_file.write_text(TEMPLATE.read_text())
    else:
        config_file.write_text(proxy_config([1001, 1002]))
        assert [line for line in config_file.read_text().splitlines() if ":100" in line] == [
            "    server replica1 127.0.0.1:1001",
            "    server replica2 127.0.0.1:1002",
        ]
    checked = subprocess.run([haproxy, "-c", "-f", config_file], env=told, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr
    optional = set(re.findall(r"\.if defined\((\w+)\)", TEMPLATE.read_text()))
    assert set(re.findall(r"\$\{(\w+)\}", TEMPLATE.read_text())) <= {*told, *optional}


def test_addresses_are_those_at_which_others_find_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    import psutil

    def interface(address: str, family: int = 2) -> list[SimpleNamespace]:
        return [SimpleNamespace(address=address, family=family)]

    there = {
        "lo": interface("127.0.0.1"),
        "switch": interface("169.254.7.9"),
        "wifi": interface("192.168.1.20"),
        "off": interface("10.0.0.1"),
        "six": interface("fe80::1", 10),
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: there)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {name: SimpleNamespace(isup=name != "off") for name in there})
    assert network_addresses(own_interfaces()) == ["192.168.1.20", "169.254.7.9"]
    del there["wifi"]
    assert network_addresses(own_interfaces()) == ["169.254.7.9"]

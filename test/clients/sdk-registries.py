"""Pulls from and pushes to the registry in argv through python3-docker, with credentials. Asserts what it gets."""
import sys

import docker

host = sys.argv[1]
sailor = {"username": "sailor", "password": "berth"}
client = docker.from_env(version="auto", timeout=60)


def part(function):
    function()
    print(function.__name__, flush=True)


def of_each_layer(messages):
    layers = {}
    for message in messages:
        if "progressDetail" in message and "id" in message:
            layers.setdefault(message["id"], []).append(message)
    return layers


@part
def login():
    assert client.login(registry=host, **sailor)["Status"] == "Login Succeeded"
    client._general_configs = {}
    client.api._auth_configs = docker.auth.AuthConfig({})
    try:
        docker.from_env().login("sailor", "wrong", registry=host, reauth=True)
    except docker.errors.APIError as error:
        assert "401 Unauthorized" in str(error), error
    else:
        raise AssertionError("a wrong password is refused")


@part
def pull():
    image = client.images.pull(f"{host}/x/y", tag="one", auth_config=sailor)
    assert image.tags == [f"{host}/x/y:one"], image.tags
    client.images.remove(image.id, force=True)
    messages = list(client.api.pull(f"{host}/x/y", tag="one", stream=True, decode=True, auth_config=sailor))
    assert messages[0] == {"status": "Pulling from x/y", "id": "one"}, messages[0]
    assert messages[-2]["status"].startswith("Digest: sha256:"), messages[-2]
    assert messages[-1] == {"status": f"Status: Downloaded newer image for {host}/x/y:one"}, messages[-1]
    layers = of_each_layer(messages)
    assert len(layers) == 2, layers
    for said in layers.values():
        statuses = [message["status"] for message in said]
        order = ["Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull complete"]
        assert [status for index, status in enumerate(statuses) if statuses.index(status) == index and status != "Waiting"] == order, statuses
        for message in said:
            if message["status"] == "Downloading":
                assert 0 < message["progressDetail"]["current"] <= message["progressDetail"]["total"] and message["progress"], message


@part
def push():
    image = client.images.get(f"{host}/x/y:one")
    assert image.tag(f"{host}/from/python", "1")
    messages = list(client.images.push(f"{host}/from/python", tag="1", stream=True, decode=True, auth_config=sailor))
    assert messages[0] == {"status": f"The push refers to repository [{host}/from/python]"}, messages[0]
    aux = messages[-1]["aux"]
    assert (aux["Tag"], aux["Digest"][:7]) == ("1", "sha256:") and aux["Size"] > 0, aux
    assert messages[-2]["status"] == f"1: digest: {aux['Digest']} size: {aux['Size']}", messages[-2]
    for said in of_each_layer(messages).values():
        assert (said[0]["status"], said[-1]["status"]) == ("Preparing", "Mounted from x/y"), said
    data = client.images.get_registry_data(f"{host}/from/python:1", auth_config=sailor)
    assert data.id == aux["Digest"], data.id
    assert data.has_platform("linux/amd64")


@part
def errors():
    for name, words in (("x/y:nope", "not found: manifest unknown"), ("x/nope", "not found: name unknown")):
        try:
            client.images.pull(f"{host}/{name}", auth_config=sailor)
        except docker.errors.NotFound as error:
            assert words in error.explanation, error
        else:
            raise AssertionError(name)
    try:
        client.images.pull(f"{host}/x/y:one", auth_config={})
    except docker.errors.APIError as error:
        assert error.explanation == f'Head "http://{host}/v2/x/y/manifests/one": no basic auth credentials', error
    else:
        raise AssertionError("nobody may pull without credentials")
    *_, last = client.images.push(f"{host}/from/python", tag="1", stream=True, decode=True, auth_config={})
    assert last == {"errorDetail": {"message": "no basic auth credentials"}, "error": "no basic auth credentials"}, last

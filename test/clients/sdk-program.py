"""Drives an engine through python3-docker. Each part asserts what it gets and prints its name."""
import io
import socket
import tarfile
import time

import docker

client = docker.from_env(version="auto", timeout=20)
started = int(time.time())


def part(function):
    function()
    print(function.__name__, flush=True)


@part
def system():
    assert client.ping() is True
    assert client.version()["Os"] == "linux"
    assert client.info()["Images"] == 1
    assert client.images.get("busybox").tags == ["busybox:latest"]
    assert {network.name for network in client.networks.list()} >= {"bridge", "host", "none"}


@part
def run():
    assert client.containers.run("busybox", ["echo", "hi"], remove=True) == b"hi\n"
    try:
        client.containers.run("busybox", "sh -c 'echo bad >&2; exit 3'", remove=True, stderr=True)
    except docker.errors.ContainerError as error:
        assert error.exit_status == 3 and error.stderr == b"bad\n", error
    else:
        raise AssertionError("exit 3 must raise")


@part
def attach():
    container = client.containers.create(
        "busybox", ["sh", "-c", "while read x; do echo got $x; done; echo end"], stdin_open=True, name="attached", network_mode="none"
    )
    connection = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    container.start()
    connection._sock.sendall(b"one\ntwo\n")
    connection._sock.shutdown(socket.SHUT_WR)
    received = list(docker.utils.socket.frames_iter(connection, tty=False))
    assert {stream for stream, _ in received} == {1}, received
    assert b"".join(chunk for _, chunk in received) == b"got one\ngot two\nend\n", received
    connection.close()
    container.remove(force=True)

    container = client.containers.create("busybox", ["sh", "-c", "echo out; echo err >&2"])
    stream = container.attach(stream=True, demux=True, stdout=True, stderr=True, logs=False)
    container.start()
    parts = list(stream)
    assert b"".join(out for out, _ in parts if out) == b"out\n", parts
    assert b"".join(err for _, err in parts if err) == b"err\n", parts
    assert container.wait()["StatusCode"] == 0
    container.remove()


@part
def exec():
    container = client.containers.run("busybox", ["sleep", "1000"], detach=True)
    code, output = container.exec_run(["sh", "-c", "echo $A; id -u; exit 5"], environment={"A": "b"}, user="user")
    assert (code, output) == (5, b"b\n1000\n"), (code, output)
    code, (out, err) = container.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True)
    assert (code, out, err) == (0, b"out\n", b"err\n")
    code, chunks = container.exec_run(["sh", "-c", "echo 1; echo 2"], stream=True)
    assert b"".join(chunks) == b"1\n2\n"
    made = client.api.exec_create(container.id, ["tty"], tty=True)
    assert client.api.exec_start(made["Id"], tty=True) == b"/dev/pts/0\r\n"
    assert client.api.exec_inspect(made["Id"])["ExitCode"] == 0
    container.remove(force=True)


@part
def logs():
    container = client.containers.run("busybox", ["sh", "-c", "echo 1; echo 2; echo 3 >&2"], detach=True)
    assert container.wait()["StatusCode"] == 0
    assert container.logs(stderr=False) == b"1\n2\n"
    assert container.logs(tail=1) in (b"3\n", b"2\n")
    assert b"".join(container.logs(stream=True, follow=True, stdout=False, stderr=True)) == b"3\n"
    assert container.logs(timestamps=True, stderr=False).split(b"\n")[0].endswith(b"Z 1")
    assert container.logs(since=int(time.time()) + 100) == b""
    container.remove()


@part
def stats():
    container = client.containers.run("busybox", ["sleep", "1000"], detach=True, mem_limit="64m")
    once = container.stats(stream=False)
    assert once["memory_stats"]["limit"] == 64 << 20
    assert once["pids_stats"]["current"] == 1
    stream = container.stats(stream=True, decode=True)
    first, second = next(stream), next(stream)
    assert first["read"] < second["read"]
    stream.close()
    assert container.top()["Processes"][0][-1] == "sleep 1000"
    container.pause()
    container.reload()
    assert container.status == "paused"
    container.unpause()
    container.update(cpu_shares=256)
    container.stop(timeout=0)
    container.remove()


@part
def archive():
    container = client.containers.create("busybox", ["cat", "/tmp/file"])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("file")
        member.size = 7
        tar.addfile(member, io.BytesIO(b"content"))
    assert container.put_archive("/tmp", buffer.getvalue()) is True
    chunks, stat = container.get_archive("/tmp/file")
    assert (stat["name"], stat["size"]) == ("file", 7), stat
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        assert tar.extractfile("file").read() == b"content"
    assert {"Path": "/tmp/file", "Kind": 1} in container.diff()
    container.start()
    container.wait()
    assert container.logs() == b"content"
    with tarfile.open(fileobj=io.BytesIO(b"".join(container.export()))) as tar:
        assert tar.extractfile("tmp/file").read() == b"content"
    container.remove()


@part
def volumes():
    volume = client.volumes.create("data", labels={"a": "b"})
    assert client.containers.run("busybox", ["sh", "-c", "echo x >/data/f; cat /data/f"], volumes={"data": {"bind": "/data"}}, remove=True) == b"x\n"
    assert [found.name for found in client.volumes.list(filters={"label": "a=b"})] == ["data"]
    volume.remove()


@part
def images():
    container = client.containers.create("busybox", ["true"])
    image = container.commit("committed", "v1", message="made", changes="CMD [\"echo\", \"changed\"]")
    assert client.containers.run("committed:v1", remove=True) == b"changed\n"
    container.remove()
    saved = b"".join(image.save(named=True))
    client.images.remove("committed:v1")
    assert [loaded.tags for loaded in client.images.load(saved)] == [["committed:v1"]]
    client.images.remove("committed:v1")


@part
def events():
    container = client.containers.run("busybox", ["true"], detach=True, name="eventful")
    container.wait()
    container.remove()
    seen = []
    for event in client.events(since=started, decode=True, filters={"container": "eventful", "type": "container"}):
        seen.append(event["Action"])
        if event["Action"] == "destroy":
            break
    assert seen == ["create", "start", "die", "destroy"], seen


@part
def errors():
    for action, expected in (
        (lambda: client.containers.get("nosuch"), docker.errors.NotFound),
        (lambda: client.api.create_container("nosuch", "true"), docker.errors.ImageNotFound),
        (lambda: client.containers.create("busybox", "true", name="bad name"), docker.errors.APIError),
    ):
        try:
            action()
        except expected:
            continue
        raise AssertionError(expected)

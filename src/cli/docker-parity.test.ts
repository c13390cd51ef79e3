/** Each verb against docker's: see same-as-docker.ts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bundleClient } from "./bundled-client.ts";
import { type SameOptions, sameAsDocker } from "./same-as-docker.ts";
import { type Answer, frame, type Script, ScriptedDaemon } from "./scripted-daemon.ts";

const id = "a".repeat(64);
const now = Math.floor(Date.now() / 1000) - 1800;

describe("like docker", () => {
  let daemon: ScriptedDaemon;
  const folder = mkdtempSync("/tmp/berth-test-parity-");
  const main = join(folder, "berth.cjs");
  before(async () => {
    daemon = await ScriptedDaemon.open();
    await bundleClient(main);
    writeFileSync(join(folder, "env"), "# comment\nA=1\n  B=2 x\nHOME\nNOSUCHVARIABLE\nC=\n");
    writeFileSync(join(folder, "bad"), "A B=1\n");
    writeFileSync(join(folder, "seccomp.json"), '{ "defaultAction": "SCMP_ACT_ALLOW" }');
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const same = (script: Script, args: readonly string[], options: SameOptions = {}): Promise<void> =>
    sameAsDocker({ daemon, main }, script, args, options);

  const created: Script = { "POST /containers/create": { json: { Id: id, Warnings: [] }, status: 201 } };

  // Words in front of an image; FILES stands for the test's folder.
  const createFlags = `
    --add-host a:1.2.3.4 --add-host b=::1 --add-host c:[::1] --add-host d:host-gateway --annotation a=b
    --add-host x
    -a stdout -a STDERR
    -a foo
    --blkio-weight 100 --blkio-weight-device /dev/sda:200 --device-read-bps /dev/sda:1mb --device-write-iops /dev/sda:5
    --blkio-weight-device sda:200
    --blkio-weight 70000
    --device-write-iops /dev/sda:x
    --cap-add NET_ADMIN --cap-add cap_sys_admin --cap-drop all --cgroup-parent /x --cgroupns host
    --cgroupns foo
    --cpu-period 1000 --cpu-quota 500 -c 512 --cpus 1.5 --cpuset-cpus 0-1 --cpuset-mems 0
    --cpus 0.0000000001
    --cpus abc
    --device /dev/null --device /dev/zero:/dev/x:rw --device /dev/full:r
    --device /dev/null:/dev/x:q
    --device null
    --dns 1.1.1.1 --dns-search x.y --dns-option ndots:1 --domainname d -h foo
    --dns x
    --entrypoint sh
    --entrypoint=
    --env-file FILES/env -e A=1
    --env-file /nonexistent
    --env-file FILES/bad
    -e =
    --expose 80 --expose 90-92/udp -P
    --expose x
    --expose 80:80
    --gpus all
    --gpus device=0
    --health-cmd true --health-interval 5s --health-retries 3 --health-timeout 1m30s
    --health-interval 5
    --health-retries -1
    --no-healthcheck
    --no-healthcheck --health-cmd x
    --init --ipc host --pid host --uts host --userns host
    --init=false
    -it
    --pid foo
    -l a=b -l c
    -l =x
    --link a:b:c
    --log-driver json-file --log-opt max-size=1m
    --log-driver none --log-opt a=b
    --mac-address foo
    -m 32m --memory-reservation 1m --memory-swap -1 --memory-swappiness 60
    -m abc
    -m -1
    --memory-swappiness 101
    --mount type=bind,source=/a,target=/b,readonly,bind-propagation=rslave
    --mount type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=1777 --mount src=v,dst=/d
    --mount type=volume,src=v,dst=/d,volume-nocopy,volume-label=a=b,volume-driver=x,volume-opt=o=p
    --mount type=bind,src=/a
    --mount dst=/b,foo=bar
    --mount foo
    --mount type=bind,src=/a,dst=/b,volume-nocopy
    --mount type=bind,src=/a,dst=/b,bind-recursive=writable
    --name x --network host
    --network foo
    --network name=foo,alias=x,ip=1.2.3.4,driver-opt=a=b,mac-address=92:d0:c6:0a:29:33
    --network foo --network foo
    --network name=foo,bad=1
    --network-alias x
    --oom-kill-disable --oom-score-adj 500 --pids-limit -1 --platform linux/amd64 --privileged
    -p 80 -p 8080:81 -p 127.0.0.1::82 -p 8000-8002:90-92 -p 8000-8010:99 -p [::1]:80:83 -p 84:84/udp
    -p 99999:80
    -p 8000-8001:80-82
    -p 80:80/foo
    -p 1.2.3:80:80
    -p x
    -p 80:
    -p target=80,published=8080,protocol=udp
    --platform linux/x86_64
    --platform a/b/c/d
    --platform nosuch
    --platform linux/arm64/v8
    --platform aarch64
    --platform linux/a.b
    --pull foo
    --pull never --read-only --restart on-failure:3 --runtime runc
    --restart on-failure:x
    --restart :3
    --rm --restart always
    --security-opt no-new-privileges --security-opt seccomp=FILES/seccomp.json
    --security-opt systempaths=unconfined
    --security-opt foo
    --security-opt seccomp=/nonexistent
    --shm-size 64m --stop-signal INT --stop-timeout 5 --storage-opt size=1G
    --sysctl net.ipv4.ip_forward=1 --tmpfs /x --tmpfs /y:size=1m --ulimit nofile=10:20 --ulimit core=-1
    --sysctl foo.bar=1
    --ulimit nofile=20:10
    --ulimit foo=1
    -u 1000:1000 -w /x --volumes-from a:ro --volume-driver d
    -v /a:/b -v rel:/c:ro -v /d -v ./e:/f:z
    -v /a:
    -v /a:/b:ro:x
    --foo
    -xyz
    --name
    --rm=xx`;
  for (const line of createFlags.trim().split("\n")) {
    const words = line.trim().replaceAll("FILES", folder).split(" ");
    test(`create ${line.trim()}`, () => same(created, ["create", ...words, "busybox", "sh", "-c", "--rm"]));
  }

  const script = (answers: Partial<Record<"create" | "start" | "attach", Answer>>, more: Script = {}): Script => {
    let begin: () => void = () => {};
    let begun = new Promise<void>((done) => (begin = done));
    const write = answers.attach ?? {
      hijack: (stream) => {
        stream.write(frame(1, "out\n"));
        stream.write(frame(2, "err\n"));
        stream.end();
      },
    };
    return {
      ...created,
      ...(answers.create === undefined ? {} : { "POST /containers/create": answers.create }),
      [`POST /containers/${id}/wait`]: { json: { StatusCode: 3 } },
      [`POST /containers/${id}/start`]: () => {
        setTimeout(begin, 5);
        return answers.start ?? { json: null, status: 204 };
      },
      [`POST /containers/${id}/attach`]: {
        hijack: (stream) =>
          void begun.then(() => {
            begun = new Promise((done) => (begin = done));
            if ("hijack" in write) write.hijack(stream);
          }),
      },
      ...more,
    };
  };
  const echoInput: Answer = {
    hijack: (stream) => {
      let text = "";
      stream.on("data", (chunk) => (text += chunk));
      stream.on("end", () => {
        stream.write(frame(1, `got ${text}`));
        stream.end();
      });
    },
  };
  const refused = (message: string): Answer => ({ failure: 404, message });

  test("run: output, status", () => same(script({}), ["run", "--rm", "busybox", "x"]));
  test("run -i: input and its end", () => same(script({ attach: echoInput }), ["run", "-i", "busybox"], { input: "hello\n" }));
  test("run: input is left alone", () => {
    const listen: Answer = {
      hijack: (stream) => {
        let text = "";
        stream.on("data", (chunk) => (text += chunk));
        stream.on("end", () => (text += " and its end"));
        setTimeout(() => stream.end(frame(1, `got ${JSON.stringify(text)}\n`)), 60);
      },
    };
    return same(script({ attach: listen }), ["run", "busybox"], { input: "hello\n" });
  });
  test("run -d", () => same(script({}), ["run", "-d", "busybox"], { anyRequests: true }));
  test("run: 127", () =>
    same(script({ start: refused('exec: "x": executable file not found in $PATH: unknown') }), ["run", "busybox", "x"]));
  test("run: 126", () => same(script({ start: refused("exec: permission denied: unknown") }), ["run", "--rm", "busybox", "x"]));
  test("run: 125", () => same(script({ start: { failure: 500, message: "boom" } }), ["run", "busybox"]));
  test("run -it without a terminal", () => same(script({}), ["run", "-it", "busybox"]));
  test("run -d -a", () => same(script({}), ["run", "-d", "-a", "stdout", "busybox"]));
  test("run: name in use", () =>
    same(script({ create: { failure: 409, message: "Conflict. In use" } }), ["run", "--name", "x", "busybox"]));
  const pullText =
    '{"status":"Pulling from library/busybox","id":"latest"}\n{"status":"Downloading","progressDetail":{"current":1,"total":10},"id":"abc"}\n{"status":"Pull complete","progressDetail":{},"id":"abc"}\n';
  test("run: image to be pulled", () => {
    let asked = 0;
    const create = (): Answer => (asked++ % 2 === 0 ? refused("No such image: busybox:latest") : { json: { Id: id }, status: 201 });
    return same(script({}, { "POST /containers/create": create, "POST /images/create": { text: pullText } }), ["run", "busybox"]);
  });
  test("run: image that is not there", () =>
    same(script({ create: refused("No such image: x:latest") }, { "POST /images/create": refused("pull access denied for x") }), [
      "run",
      "x",
    ]));
  test("run: wrong image name", () => same({}, ["run", "UPPER"]));

  const web = { Id: id, State: { Running: true }, Config: { Tty: false, OpenStdin: false }, HostConfig: {} };
  const execed: Script = {
    "GET /containers/web/json": { json: web },
    "POST /containers/web/exec": { json: { Id: "e1" }, status: 201 },
    "POST /exec/e1/start": echoInput,
    "GET /exec/e1/json": { json: { ExitCode: 7 } },
  };
  test("exec", () =>
    same(execed, ["exec", "-i", "-e", "A=1", "-u", "1", "-w", "/", "web", "cat", "-x"], { input: "hi", anyRequests: true }));
  test("exec: not running", () =>
    same({ ...execed, "POST /containers/web/exec": { failure: 409, message: "container x is not running" } }, ["exec", "web", "ls"], {
      anyRequests: true,
    }));
  const output: Answer = { hijack: (stream) => stream.end(Buffer.concat([frame(1, "o\n"), frame(2, "e\n")])) };
  const attachable: Script = {
    "GET /containers/web/json": { json: web },
    "POST /containers/web/attach": output,
    [`POST /containers/${id}/attach`]: output,
    [`POST /containers/${id}/wait`]: { json: { StatusCode: 4 } },
    [`POST /containers/${id}/start`]: { json: null, status: 204 },
    "POST /containers/web/start": { json: null, status: 204 },
    "POST /containers/web/wait": { json: { StatusCode: 4 } },
  };
  test("attach", () => same(attachable, ["attach", "web"], { anyRequests: true }));
  test("start -a", () => same(attachable, ["start", "-a", "web"], { anyRequests: true }));

  const ports = [
    { IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8080, Type: "tcp" },
    { IP: "::", PrivatePort: 80, PublicPort: 8080, Type: "tcp" },
    { PrivatePort: 443, Type: "tcp" },
  ];
  const containers: Script = {
    "GET /containers/json": {
      json: [
        {
          Id: id,
          Names: ["/web", "/x/web"],
          Image: "busybox:latest",
          ImageID: `sha256:${"b".repeat(64)}`,
          Command: "sh -c 'while true; do sleep 1; done'",
          Created: now,
          Ports: ports,
          SizeRw: 12345,
          SizeRootFs: 4567890,
          Labels: { b: "2", a: "1<x>" },
          State: "running",
          Status: "Up 30 minutes",
          NetworkSettings: { Networks: { bridge: {} } },
          Mounts: [{ Type: "bind", Source: "/very/long/path/name", Destination: "/x" }],
        },
        { Id: "c".repeat(64), Names: ["/db"], Image: "x", Command: "/x", Created: now, State: "exited", Status: "Exited (0)" },
      ],
    },
  };
  for (const words of ["ps", "ps -aq", "ps --no-trunc -n 3", "ps -s", "ps --format json", "ps -f name=x -f label=a=b", "ps -f x", "ps x"])
    test(words, () => same(containers, words.split(" ")));
  for (const format of [
    "{{.ID}} {{.Names}} {{.Ports}} {{.Mounts}}",
    "table {{.ID}}\\t{{.Size}}\\t{{.Networks}}",
    '{{.Label "a"}}|{{.CreatedAt}}|{{.RunningFor}}',
    "{{json .}}",
    '{{range split .Ports ", "}}[{{.}}]{{end}}{{if eq .State "exited"}}x{{end}}',
    '{{printf "%.3s|%-20s|" .ID .Names}}{{truncate .ID 3}}{{pad .ID 1 2}}{{title .State}}',
    "raw",
    "{{foo}}",
    "{{",
  ])
    test(`ps --format ${format}`, () => same(containers, ["ps", "-a", "--format", format]));

  const images: Script = {
    "GET /images/json": {
      json: [
        {
          Id: `sha256:${id}`,
          RepoTags: ["r.io:5000/b:latest", "r.io:5000/b:x"],
          RepoDigests: [`r.io:5000/b@sha256:${id}`],
          Created: now,
          Size: 4261550,
          SharedSize: -1,
          Containers: -1,
        },
        { Id: `sha256:${"e".repeat(64)}`, RepoTags: [], RepoDigests: [], Created: now, Size: 1500000000, SharedSize: -1, Containers: -1 },
      ],
    },
    "GET /images/b/history": {
      json: [
        {
          Id: `sha256:${id}`,
          Created: now,
          CreatedBy: "CMD with quite a lot of words and more of them still",
          Tags: ["b"],
          Size: 0,
          Comment: "",
        },
        { Id: "<missing>", Created: now, CreatedBy: "ADD\tx", Tags: null, Size: 4261550, Comment: "hi" },
      ],
    },
  };
  for (const words of [
    "images",
    "images -q --no-trunc",
    "images --digests",
    "images --format json b",
    "history b",
    "history -H=false --no-trunc b",
  ])
    test(words, () => same(images, words.split(" ")));

  const descriptor = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: `sha256:${id}`, size: 401 };
  const manifest = (platform: object, available: boolean, containers: string[], bytes: number): object => ({
    ID: `sha256:${id}`,
    Descriptor: descriptor,
    Available: available,
    Kind: "image",
    Size: { Total: bytes * 2, Content: bytes },
    ImageData: { Platform: platform, Containers: containers, Size: { Unpacked: bytes } },
  });
  const listed = (tags: string[], created: number, manifests: object[]): object => ({
    Containers: -1,
    Created: created,
    Id: `sha256:${id}`,
    Labels: null,
    ParentId: "",
    RepoDigests: [],
    RepoTags: tags,
    SharedSize: -1,
    Size: 4261550,
    Manifests: manifests,
  });
  const attestation = {
    ID: `sha256:${id}`,
    Descriptor: descriptor,
    Available: true,
    Kind: "attestation",
    Size: { Total: 1, Content: 1 },
    AttestationData: { For: `sha256:${id}` },
  };
  const many = [
    manifest({ os: "linux", architecture: "amd64" }, true, [id], 2166784),
    manifest({ os: "linux", architecture: "arm", variant: "v7" }, false, [], 0),
    attestation,
  ];
  for (const [what, answer] of [
    ["of one platform and none", [listed(["a:1"], 5, []), listed([], 7, [])]],
    ["of several", [listed(["a:1", "registry.example.com:5000/quite/a/long/name:latest"], 5, many), listed([], 7, [])]],
    ["a long name", [listed([`quite/${"long".repeat(12)}:latest`], 5, [])]],
    ["none", []],
  ] as const)
    test(`images --tree: ${what}`, () => same({ "GET /images/json": { json: answer } }, ["images", "--tree"]));
  test("images -a --tree", () =>
    same({ "GET /images/json": { json: [listed(["a:1"], 5, many), listed([], 7, []), { ...listed(["used"], 4, []), Containers: 2 }] } }, [
      "images",
      "-a",
      "--tree",
    ]));
  for (const words of ["images --tree -q", "images --tree --digests", "images --tree --format json", "images --tree --no-trunc"])
    test(words, () => same(images, words.split(" ")));
  const asked: Script = {
    "GET /images/b/json": { json: { Id: `sha256:${id}` } },
    "GET /images/b/history": { json: [] },
    "DELETE /images/b": { json: [{ Untagged: "b:latest" }] },
  };
  for (const words of [
    "image inspect --platform linux/arm64 -f {{.Id}} b",
    "image inspect --platform a/b/c/d b",
    "history --platform linux/arm/v7 b",
    "rmi --platform linux/amd64,linux/riscv64 b",
  ])
    test(words, () => same(asked, words.split(" ")));

  const inspected: Script = {
    "GET /containers/web/json": {
      json: {
        Id: id,
        Name: "/web",
        Args: ["-c", "echo <hi>"],
        State: { Status: "running", Pid: 12, Running: true },
        HostConfig: { Memory: 33554432, CapAdd: null, Binds: null },
        Config: { Env: ["A=1"], Labels: { b: "2", a: "1" }, Cmd: ["sh"], Entrypoint: null },
        NetworkSettings: {
          Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }] },
          Networks: { bridge: { IPAddress: "172.17.0.2" } },
        },
        Mounts: [],
      },
    },
    "GET /containers/no/json": refused("No such container: no"),
    "GET /images/no/json": refused("No such image: no:latest"),
    "GET /networks/no": refused("network no not found"),
    "GET /volumes/no": refused("get no: no such volume"),
    "GET /plugins/no/json": refused('plugin "no" not found'),
    "GET /info": { json: {} },
  };
  for (const words of [
    "inspect web",
    "inspect web no",
    "inspect --type container no",
    "container inspect web",
    "image inspect no",
    "port web",
    "port web 80",
    "port web 81",
  ])
    test(words, () => same(inspected, words.split(" "), { anyRequests: true }));
  for (const format of [
    "{{.ID}} {{.State.Status}} {{.Config.Env}} {{.HostConfig.Memory}}",
    "{{json .Config.Labels}} {{.Config.Labels}} {{.Config.Labels.zz}}",
    '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}} {{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}',
    "{{.HostConfig.CapAdd}} {{json .HostConfig.CapAdd}} {{.Config.Entrypoint}} {{.State.Health}}",
    "{{if .State.Health}}x{{else}}none{{end}}{{len .Mounts}}{{json .Args}}",
    "{{.State.Health.Status}}",
    "{{.State.Foo}}",
    "{{index .Args 5}}",
    "{{.Foo",
  ])
    test(`inspect -f ${format}`, () => same(inspected, ["inspect", "-f", format, "web"], { anyRequests: true }));

  const done: Answer = { json: null, status: 204 };
  const acts: Script = {
    ...Object.fromEntries(["stop", "restart", "kill", "start", "rename"].map((verb) => [`POST /containers/a/${verb}`, done])),
    ...Object.fromEntries(
      ["stop", "restart", "kill", "start"].map((verb) => [`POST /containers/b/${verb}`, refused("No such container: b")]),
    ),
    "DELETE /containers/a": done,
    "DELETE /containers/b": refused("No such container: b"),
    "POST /containers/a/wait": { json: { StatusCode: 3 } },
    "DELETE /images/a": { json: [{ Untagged: "a:latest" }, { Deleted: `sha256:${id}` }] },
    "DELETE /images/b": refused("No such image: b:latest"),
    "POST /images/a/tag": { json: null, status: 201 },
    "GET /containers/a/top": { json: { Titles: ["PID", "CMD"], Processes: [["1", "sleep"]] } },
    "POST /images/load": { text: '{"stream":"Loaded image: a:latest\\n"}\n' },
    "POST /images/create": { text: '{"status":"sha256:abc"}\n' },
    "GET /images/get": { text: "TAR", type: "application/x-tar" },
  };
  const actions = `stop -t 3 -s INT a|stop a b|restart -t -1 a|kill -s HUP a|start a|start b|rename a c|rename b c|exec --env-file /nonexistent a x|rm -fv a|rm b|rm -f b|wait a|rmi a b|rmi -f b|tag a x/y:z|tag a B|top a -o pid|load|load -i /nonexistent|import - x:y|import -c ENV=1 -m hi - x|import /nonexistent|save a b|save -o /nonexistent/x a|pull a|pull -q a|pull BAD|stop|rename a|exec a|nosuch|container nosuch|ps --foo|-x|--foo|logs|port`;
  for (const words of actions.split("|")) test(words, () => same(acts, words.split(" "), { input: "tar", anyRequests: true }));

  const event = `{"status":"start","id":"x","from":"b","Type":"container","Action":"start","Actor":{"ID":"x","Attributes":{"name":"web","image":"b"}},"scope":"local","time":1763719200,"timeNano":1763719200123456789}\n`;
  const happening: Script = { "GET /events": { text: event } };
  for (const format of ["", "json", "{{json .}}", "{{.Type}} {{.TimeNano}} {{.Actor.Attributes.name}} {{.ID}}", "{{.Foo}}"])
    test(`events --format ${format}`, () => same(happening, ["events", "--since", "1000", "--format", format]));

  const volume = {
    CreatedAt: "2026-11-21T10:00:00Z",
    Driver: "local",
    Labels: { a: "1" },
    Mountpoint: "/m",
    Name: "v10",
    Options: null,
    Scope: "local",
    UsageData: { RefCount: 1, Size: 1234567 },
  };
  const moment = (system: number, used: number): unknown => ({
    cpu_usage: { total_usage: used, percpu_usage: [1, 2] },
    system_cpu_usage: system,
    online_cpus: 2,
  });
  const stats = {
    name: "/web",
    id,
    read: "2026-11-21T10:00:00Z",
    cpu_stats: moment(2_000_000_000, 500_000_000),
    precpu_stats: moment(1_000_000_000, 400_000_000),
    memory_stats: { usage: 50_000_000, limit: 100_000_000, stats: { inactive_file: 5_000_000 } },
    networks: { eth0: { rx_bytes: 1500, tx_bytes: 999 }, eth1: { rx_bytes: 1, tx_bytes: 1 } },
    blkio_stats: {
      io_service_bytes_recursive: [
        { major: 8, minor: 0, op: "read", value: 4096 },
        { major: 8, minor: 0, op: "Write", value: 123456789 },
      ],
    },
    pids_stats: { current: 7 },
  };
  const tall = { "PUT /containers/web/archive": done, "HEAD /containers/web/archive": refused("") };
  const objects: Script = {
    ...Object.fromEntries(["pause", "unpause"].map((verb) => [`POST /containers/a/${verb}`, done])),
    ...Object.fromEntries(["pause", "unpause"].map((verb) => [`POST /containers/b/${verb}`, refused("No such container: b")])),
    "POST /containers/a/update": { json: { Warnings: ["slow"] } },
    "POST /containers/c/update": { json: { Warnings: null } },
    "POST /containers/b/update": refused("No such container: b"),
    "GET /containers/a/changes": {
      json: [
        { Path: "/etc", Kind: 0 },
        { Path: "/etc/x", Kind: 1 },
        { Path: "/y", Kind: 2 },
      ],
    },
    "GET /containers/b/changes": { json: null },
    "GET /containers/a/export": { text: "TAR", type: "application/octet-stream" },
    "GET /containers/b/export": refused("No such container: b"),
    "POST /commit": { json: { Id: `sha256:${id}` }, status: 201 },
    "POST /containers/prune": { json: { ContainersDeleted: [id, "b"], SpaceReclaimed: 123456 } },
    "POST /networks/prune": { json: { NetworksDeleted: null } },
    "POST /volumes/prune": { json: { VolumesDeleted: ["v"], SpaceReclaimed: 1500 } },
    "POST /images/prune": { json: { ImagesDeleted: [{ Untagged: "a:b" }, { Deleted: "sha256:x" }], SpaceReclaimed: 1 } },
    "POST /build/prune": { json: { CachesDeleted: ["c"], SpaceReclaimed: 10 } },
    "POST /volumes/create": { json: volume, status: 201 },
    "GET /volumes": { json: { Volumes: [volume, { ...volume, Name: "v9", UsageData: undefined, Labels: null }], Warnings: null } },
    "GET /volumes/v": { json: volume },
    "GET /volumes/w": refused("get w: no such volume"),
    "GET /containers/v/json": refused("No such container: v"),
    "GET /images/v/json": refused("No such image: v:latest"),
    "GET /networks/v": refused("network v not found"),
    "DELETE /volumes/v": done,
    "DELETE /volumes/w": { failure: 409, message: "remove w: volume is in use" },
    "GET /containers/json": { json: [{ Id: id, Names: ["/web"], State: "running" }] },
    [`GET /containers/${id.slice(0, 12)}/stats`]: { text: `${JSON.stringify(stats)}\n` },
    "GET /containers/web/stats": { text: `${JSON.stringify(stats)}\n` },
    "GET /containers/b/stats": refused("No such container: b"),
    "GET /system/df": {
      json: {
        LayersSize: 10_000_000,
        Images: [
          { Id: `sha256:${id}`, RepoTags: ["b:x"], RepoDigests: [], Created: now, Size: 4261550, SharedSize: 1000, Containers: 1 },
          { Id: `sha256:${"b".repeat(64)}`, RepoTags: null, RepoDigests: null, Created: now, Size: 1500000, SharedSize: 0, Containers: 0 },
        ],
        Containers: [
          { Id: id, Names: ["/web"], Image: "b:x", Command: "sh", Created: now, State: "running", Status: "Up 1 second", SizeRw: 1500 },
          { Id: id, Names: ["/db"], Image: "b:x", Command: "sh", Created: now, State: "exited", Status: "Exited", SizeRw: 500 },
        ],
        Volumes: [volume, { ...volume, Name: "free", UsageData: { Size: 1000, RefCount: 0 } }],
        BuildCache: [],
      },
    },
  };
  const objectLines = `
    pause a|pause a b|unpause a|unpause b|pause
    update a|update -m 32m --cpus 1.5 a c|update --restart on-failure:3 a b|update --restart x:y:z a|update --pids-limit 0 c|update -c 5 --cpuset-cpus 0 --blkio-weight 10 --memory-swap -1 c
    diff a|diff b|diff nosuch|diff|export a|export b|export -o /nonexistent/x a|export -o / a
    commit a|commit -a me -m hi -c ENV=1 -c CMD=x a x/y:z|commit -p=false a x|commit a X|commit a x@sha256:${id}
    container prune -f|container prune|container prune --filter until=1h --filter label!=x -f
    image prune -f|image prune -af --filter label=x|image prune|image prune -a
    volume prune -f|volume prune -af|volume prune|volume prune -a|volume prune -a --filter all=1 -f
    system prune -f|system prune|system prune -a --volumes|system prune --volumes --filter until=1h|system prune -a --volumes --filter label=b --filter label=a -f
    volume create|volume create v|volume create -d local -o type=tmpfs -o o=size=1m --label a=b v|volume create --name x v|volume create --label =x v
    volume ls|volume ls -q|volume ls -f dangling=true --format json|volume ls --format {{.Name}}:{{.Labels}}:{{json .}}|volume ls --format {{.Name}}{{.Mountpoint}}{{.Scope}}{{.Links}}{{.Size}}|volume list --format raw|volume ls x
    volume inspect v|volume inspect v w|volume inspect -f {{.Mountpoint}}{{.Options}}{{.Labels}} v|volume inspect
    inspect v|inspect --type volume v w|inspect --type volume -f {{.UsageData.Size}} v
    volume update v|volume update w|volume update|volume rm v|volume rm v w|volume rm -f v|volume rm|volume nosuch
    stats --no-stream|stats --no-stream -a --no-trunc|stats --no-stream web|stats --no-stream b|stats --no-stream b web|stats b
    stats --no-stream --format json web|stats --no-stream --format {{.Container}}:{{.CPUPerc}}:{{.MemUsage}} web
    system df|system df -v|system df --format json|system df -v --format json|system df --format {{.Type}}{{.Size}}|system df -v --format table|system df x
    cp|cp a|cp a b|cp a: b:|cp a:/x b:/y|cp /nonexistent/x web:/|cp /nonexistent web:/|cp web:/x /nonexistent/y|cp web:/x /dev/null|cp - web:/x`;
  for (const words of objectLines.trim().split(/[|\n]\s*/))
    test(`${words}, asked for nothing else`, () =>
      same({ ...objects, ...tall }, words.split(" "), { anyRequests: /^stats|^cp|^inspect|prune|^pause a b/.test(words) }));
  for (const words of ["container prune", "system prune", "volume prune"])
    for (const answer of ["n\n", "y\n", "Y\n", "yes\n"])
      test(`${words} answered ${answer.trim()}`, () => same(objects, words.split(" "), { input: answer, anyRequests: true }));

  const logs: Answer = {
    text: Buffer.concat([frame(1, "o\n"), frame(2, "e\n")]).toString("latin1"),
    type: "application/vnd.docker.multiplexed-stream",
  };
  const logged: Script = {
    "GET /containers/web/json": { json: web },
    "GET /containers/web/logs": logs,
    [`GET /containers/${id}/logs`]: logs,
  };
  for (const words of ["logs web", "logs -f --tail 3 -t web", "logs --since xx web"])
    test(words, () => same(logged, words.split(" "), { anyRequests: true }));
});

/** `docker ps` with each of its filters and options, through the stock docker CLI. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Daemon, eventually, importBusybox } from "../daemon.ts";

describe("docker ps", () => {
  let daemon: Daemon;
  const ids = new Map<string, string>();
  const idOf = (name: string): string => ids.get(name) ?? assert.fail(name);

  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
    await daemon.ok("tag", "busybox", "other:1");
    const run = async (name: string, flags: string[], command = ["sleep", "1000"], image = "busybox"): Promise<void> => {
      ids.set(name, await daemon.ok("run", "-d", "--name", name, ...flags, image, ...command));
    };
    await run("web", ["-p", "127.0.0.1:18123:80", "--expose", "90-91/udp", "-l", "tier=front", "-l", "x"]);
    await run("db", ["-l", "tier=back", "--tmpfs", "/cache", "-v", "/var/tmp:/data", "-v", "vol:/vol"], ["sh", "-c", "exit 3"]);
    await run("lone", ["--network", "none", "--health-cmd", "true", "--health-interval", "1h"]);
    await run("loop", ["--restart", "always"], ["sh", "-c", "sleep 0.2; exit 1"]);
    ids.set("new", await daemon.ok("create", "--name", "new", "other:1", "true"));
    await daemon.ok("commit", "db", "child");
    await run("child", ["--entrypoint", "sleep"], ["1000"], "child");
    await daemon.ok("pause", "child");
    await daemon.ok("wait", "db");
  });
  after(async () => {
    await daemon.ok("rm", "-fv", ...ids.values());
    await daemon.ok("volume", "rm", "vol");
    await daemon.close();
  });

  const list = (...args: string[]): Promise<string> =>
    daemon.ok("ps", "--format", "{{.Names}}", ...args).then((text) => text.replaceAll("\n", " "));
  const all = (...filters: string[]): Promise<string> => list("-a", ...filters.flatMap((filter) => ["--filter", filter]));
  const refused = async (filter: string, message: RegExp): Promise<void> => {
    const result = await daemon.docker(["ps", "--filter", filter]);
    assert.equal(result.status, 1, filter);
    assert.match(result.stderr, message);
  };

  test("running ones, all, the last", async () => {
    assert.equal(await list(), "child loop lone web");
    assert.equal(await list("-a"), "child new loop lone db web");
    assert.equal(await list("-n", "2"), "child new");
    assert.equal(await list("--last", "1", "--filter", "name=db"), "db", "the limit counts what the filters leave");
    assert.equal(await list("-l"), "child");
    assert.match(await daemon.ok("ps", "-q", "--no-trunc", "--filter", "name=web"), new RegExp(`^${idOf("web")}$`));
  });

  test("name, id, label", async () => {
    assert.equal(await all("name=^/web$"), "web");
    assert.equal(await all("name=^lo"), "loop lone");
    assert.equal(await all("name=web", "name=new"), "new web");
    assert.equal(await all("name=["), "");
    assert.equal(await all(`id=${idOf("db").slice(0, 12)}`), "db");
    assert.equal(await all(`id=${idOf("db")}`, "name=web"), "");
    assert.equal(await all("label=tier"), "child db web", "a commit keeps the labels");
    assert.equal(await all("label=tier=front", "label=x"), "web");
    assert.equal(await all("label=tier=none"), "");
  });

  test("status, exited, health", async () => {
    await eventually("a restart under way", async () => ((await all("status=restarting")) === "loop" ? true : undefined));
    assert.equal(await all("status=created"), "new");
    assert.equal(await list("--filter", "status=exited"), "db", "a status asks for all");
    assert.equal(await all("status=paused"), "child");
    assert.equal(await all("status=running", "name=web"), "web");
    assert.equal(await all("status=exited", "status=created"), "new db");
    assert.equal(await all("status=dead", "status=removing"), "");
    await refused("status=foo", /^Error response from daemon: invalid filter 'status=foo'$/m);
    assert.equal(await all("exited=3"), "db");
    assert.equal(await all("exited=0"), "", "what never ran has not exited");
    assert.equal(await list("--filter", "exited=3"), "", "an exit code does not ask for all");
    await refused("exited=x", /strconv.Atoi: parsing "x": invalid syntax/);
    assert.equal(await all("health=starting"), "lone");
    assert.equal(await all("health=none"), "child new loop db web");
    await refused("health=x", /unrecognized filter value for health: x/);
  });

  test("before, since", async () => {
    assert.equal(await all("before=lone"), "db web");
    assert.equal(await all("since=loop"), "child new");
    assert.equal(await all(`since=${idOf("db")}`, "before=new"), "loop lone");
    assert.equal(await list("--filter", "since=lone"), "child loop");
    await refused("before=nosuch", /No such container: nosuch/);
  });

  test("ancestor: name, id, digest, and images by their layers", async () => {
    assert.equal(await all("ancestor=busybox"), "child new loop lone db web");
    assert.equal(await all("ancestor=other:1"), "child new loop lone db web", "the same image");
    assert.equal(await all("ancestor=child"), "child");
    const image = await daemon.ok("inspect", "-f", "{{.Image}}", "web");
    assert.equal(await all(`ancestor=${image}`, "name=web"), "web");
    assert.equal(await all(`ancestor=${image.slice(7, 19)}`, "name=web"), "web");
    assert.equal(await all("ancestor=nosuch"), "");
    assert.equal(await all("ancestor=nosuch", "ancestor=child"), "child");
  });

  test("publish, expose", async () => {
    assert.equal(await all("publish=18123"), "web");
    assert.equal(await all("publish=18000-18200/tcp"), "web");
    assert.equal(await all("publish=80"), "");
    assert.equal(await all("publish=18123/udp"), "");
    assert.equal(await all("expose=80"), "web");
    assert.equal(await all("expose=91/udp"), "web");
    assert.equal(await all("expose=91"), "");
    assert.equal(await all("expose=91", "publish=18123"), "web", "either");
    await refused("publish=80:80", /filter for 'publish' should not contain ':': 80:80/);
    await refused("expose=x", /error while looking up for expose x: /);
  });

  test("network, volume", async () => {
    assert.equal(await all("network=none"), "lone");
    const network = await daemon.ok("network", "inspect", "-f", "{{.Id}}", "none");
    assert.equal(await all(`network=${network}`), "lone");
    assert.equal(await all("network=nosuch"), "");
    assert.equal(await all("volume=vol"), "db");
    assert.equal(await all("volume=/vol"), "db");
    assert.equal(await all("volume=/data"), "db");
    assert.equal(await all("volume=/var/tmp"), "db");
    assert.equal(await all("volume=/var"), "");
  });

  test("is-task, isolation, and what is no filter", async () => {
    assert.equal(await all("is-task=true"), "");
    assert.equal(await all("is-task=0", "name=web"), "web");
    await refused("is-task=maybe", /invalid filter 'is-task=\[maybe\]'/);
    assert.equal(await all("isolation=hyperv", "name=web"), "web", "means nothing on Linux");
    await refused("foo=bar", /invalid filter 'foo'/);
  });

  test("sizes, in ps and in inspect", async () => {
    await daemon.ok("exec", "web", "sh", "-c", "head -c 1000 /dev/zero >/file; ln /file /again; ln -s /file /link");
    assert.match(await daemon.ok("ps", "-s", "--filter", "name=web", "--format", "{{.Size}}"), /^1kB \(virtual [\d.]+MB\)$/);
    const [rw = 0, rootFs = 0] = (await daemon.ok("inspect", "-s", "-f", "{{.SizeRw}} {{.SizeRootFs}}", "web")).split(" ").map(Number);
    assert.equal(rw, 1005, "a file with two names once, and the path in the link");
    const image = Number(await daemon.ok("image", "inspect", "-f", "{{.Size}}", "busybox"));
    assert.equal(rootFs, rw + image);
    assert.equal(await daemon.ok("inspect", "-f", "{{.SizeRw}}", "web"), "<nil>");
  });

  test("--format: each field", async () => {
    const format = '{{.ID}}|{{.Image}}|{{.Command}}|{{.Ports}}|{{.State}}|{{.Names}}|{{.Label "tier"}}|{{.Networks}}|{{.LocalVolumes}}';
    assert.equal(
      await daemon.ok("ps", "--filter", "name=web", "--format", format),
      `${idOf("web").slice(0, 12)}|busybox|"sleep 1000"|90-91/udp, 127.0.0.1:18123->80/tcp|running|web|front|bridge|0`,
    );
    assert.match(
      await daemon.ok("ps", "-a", "--filter", "name=db", "--format", "{{.Status}}|{{.Mounts}}|{{.LocalVolumes}}"),
      /^Exited \(3\) .* ago\|(vol,\/var\/tmp|\/var\/tmp,vol)\|1$/,
    );
    const json = JSON.parse(await daemon.ok("ps", "--filter", "name=child", "--format", "json")) as Record<string, string>;
    assert.match(json["Status"] ?? "", /^Up .* \(Paused\)$/);
  });
});

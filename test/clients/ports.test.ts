/** The default bridge and published ports through the stock docker CLI. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { command, Daemon, eventually, importBusybox } from "../daemon.ts";

describe("the default bridge", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  const curl = (url: string): Promise<string | undefined> =>
    eventually(url, async () => {
      const result = await command("curl", ["-s", "--noproxy", "*", "--max-time", "2", url]);
      return result.status === 0 ? result.stdout : undefined;
    });

  test("a published web server answers on the host", async () => {
    await daemon.ok(
      "run",
      "-d",
      "--name",
      "web",
      "-p",
      "18080:80",
      "busybox",
      "sh",
      "-c",
      "mkdir /www; echo hello >/www/index.html; exec httpd -f -h /www",
    );
    assert.equal(await curl("http://127.0.0.1:18080/"), "hello\n");
    assert.match(await daemon.ok("port", "web"), /^80\/tcp -> 0\.0\.0\.0:18080/);
    assert.match(await daemon.ok("ps", "--format", "{{.Ports}}"), /0\.0\.0\.0:18080->80\/tcp/);
    const address = await daemon.ok("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web");
    assert.equal(await curl(`http://${address}/`), "hello\n");
    assert.match(await daemon.ok("run", "--rm", "busybox", "sh", "-c", `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc ${address} 80`), /hello/);
  });

  test("a port is given once", async () => {
    const clash = await daemon.docker(["run", "--name", "clash", "-p", "18080:80", "busybox", "true"]);
    assert.equal(clash.status, 125);
    assert.match(clash.stderr, /port is already allocated/);
    await daemon.ok("rm", "clash");
    await daemon.ok("rm", "-f", "web");
    await daemon.ok("run", "--rm", "-p", "18080:80", "busybox", "true");
  });

  test("a port that another program holds", async () => {
    const { createServer } = await import("node:net");
    const server = createServer().listen(18081, "0.0.0.0");
    await new Promise((done) => server.once("listening", done));
    const clash = await daemon.docker(["run", "--rm", "-p", "18081:80", "busybox", "true"]);
    server.close();
    assert.equal(clash.status, 125);
    assert.match(clash.stderr, /address already in use|port is already allocated/);
  });

  test("a chosen port, and -P", async () => {
    await daemon.ok("run", "-d", "--name", "any", "--expose", "90", "-p", "80", "-P", "busybox", "httpd", "-f");
    const ports = await daemon.ok("port", "any");
    assert.match(ports, /^80\/tcp -> 0\.0\.0\.0:\d+/m);
    assert.match(ports, /^90\/tcp -> 0\.0\.0\.0:\d+/m);
    await daemon.ok("rm", "-f", "any");
  });

  test("names, resolvers and addresses of a container", async () => {
    const out = await daemon.ok(
      "run",
      "--rm",
      "--hostname",
      "h",
      "--dns",
      "192.0.2.1",
      "--dns-search",
      "example.test",
      "--add-host",
      "a.test:192.0.2.9",
      "busybox",
      "cat",
      "/etc/hosts",
      "/etc/resolv.conf",
      "/etc/hostname",
    );
    assert.match(out, /^127\.0\.0\.1\s+localhost$/m);
    assert.match(out, /^192\.0\.2\.9\s+a\.test$/m);
    assert.match(out, /^\d+\.\d+\.\d+\.\d+\s+h$/m);
    assert.match(out, /^nameserver 192\.0\.2\.1$/m);
    assert.match(out, /^search example\.test$/m);
  });

  test("none and host", async () => {
    assert.equal(await daemon.ok("run", "--rm", "--net", "none", "busybox", "ls", "/sys/class/net"), "lo");
    assert.match(await daemon.ok("run", "--rm", "--net", "host", "busybox", "ls", "/sys/class/net"), /berthtest\d/);
    assert.match(await daemon.ok("network", "ls", "--format", "{{.Name}}"), /bridge\nhost\nnone/);
  });
});

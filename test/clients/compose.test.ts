/** Projects of docker-compose v2, as Debian has it, against Berth: brought up, used, scaled and taken down without a rest. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type CommandOptions, command, Daemon, importBusybox, projectRoot, type Result } from "../daemon.ts";

/** What each service has: a local image, and an end that needs no waiting. */
const common = `
    image: busybox:latest
    pull_policy: never
    stop_signal: SIGKILL`;

const shop = `
name: shop
services:
  db:${common}
    command: sh -c 'sleep 1; echo ready at last; touch /data/ready; exec sleep 1000'
    networks: [back]
    volumes: ["data:/data"]
    healthcheck: { test: [CMD, test, -e, /data/ready], interval: 200ms, timeout: 5s, retries: 100 }
  api:${common}
    command: sh -c 'mkdir /www; test -e /data/ready && hostname >/www/index.html; exec httpd -f -p 8080 -h /www'
    depends_on: { db: { condition: service_healthy } }
    networks: { back: {}, front: { aliases: [gateway] } }
    volumes: ["data:/data:ro"]
    healthcheck: { test: wget -qO /dev/null http://127.0.0.1:8080/index.html, interval: 200ms, timeout: 5s, retries: 100 }
  web:${common}
    command: sh -c 'mkdir /www; echo web >/www/index.html; exec httpd -f -p 80 -h /www'
    depends_on: { api: { condition: service_healthy } }
    networks: [front]
    ports: ["127.0.0.1:18601:80", "18602:80", "127.0.0.1:18603-18604:90-91"]
networks: { front: {}, back: { internal: true } }
volumes: { data: { labels: { kind: shop } } }
`;

const corners = `
name: corners
services:
  fixed:${common}
    command: sleep 1000
    networks: { six: { ipv4_address: 10.67.0.10, ipv6_address: "fd67::10", aliases: [nail] }, outside: {} }
  beside:${common}
    command: sh -c 'mkdir /www; echo beside >/www/index.html; exec httpd -f -p 8081 -h /www'
    network_mode: service:fixed
    depends_on: [fixed]
  inner:${common}
    command: sleep 1000
    networks: [six, shut]
  alone:${common}
    command: sleep 1000
    networks: [shut]
networks:
  six: { enable_ipv6: true, ipam: { config: [{ subnet: 10.67.0.0/24 }, { subnet: "fd67::/64" }] }, driver_opts: { com.docker.network.driver.mtu: 1400 } }
  shut: { internal: true, labels: { a: b } }
  outside: { external: true, name: compose-outside }
`;

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

describe("docker-compose", () => {
  let daemon: Daemon;
  let program = "";
  const folder = mkdtempSync("/tmp/berth-test-compose-");

  const run = (file: string, args: readonly string[], options: CommandOptions = {}): Promise<Result> =>
    command(file, args, {
      timeoutMs: 120_000,
      ...options,
      env: { DOCKER_HOST: daemon.host, DOCKER_CONFIG: join(folder, "config"), ...options.env },
    });
  /** docker-compose on the project of this file; its output. */
  const compose = async (project: string, ...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(program, ["--ansi", "never", "-f", join(folder, `${project}.yaml`), ...args]);
    assert.equal(status, 0, `compose ${args.join(" ")}: ${status}\n${stderr}${stdout}`);
    return stdout.trim();
  };
  const inService = (service: string, ...words: string[]): Promise<string> => compose("shop", "exec", "-T", service, ...words);
  const fetched = async (url: string): Promise<string> =>
    (await (await fetch(url, { headers: { connection: "close" }, signal: AbortSignal.timeout(5000) })).text()).trim();
  const addressesOf = async (project: string, from: string, name: string): Promise<string[]> => {
    const { stdout } = await run(program, ["-f", join(folder, `${project}.yaml`), "exec", "-T", from, "nslookup", "-type=a", name]);
    return [...stdout.matchAll(/^Address: (.*)$/gm)].map(([, address = ""]) => address).sort();
  };
  const leftOf = async (): Promise<string[]> => [
    ...lines(await daemon.ok("ps", "-aq")),
    ...lines(await daemon.ok("volume", "ls", "-q")),
    ...lines(await daemon.ok("network", "ls", "-q", "--filter", "type=custom")),
  ];

  before(async () => {
    const fetchedProgram = await command("sh", [join(projectRoot, "test/compose-of-debian.sh")], { timeoutMs: 120_000 });
    program = fetchedProgram.stdout.trim();
    assert.notEqual(program, "", fetchedProgram.stderr);
    daemon = await Daemon.start();
    await importBusybox(daemon);
    writeFileSync(join(folder, "shop.yaml"), shop);
    writeFileSync(join(folder, "corners.yaml"), corners);
    mkdirSync(join(folder, "config/cli-plugins"), { recursive: true });
    symlinkSync(program, join(folder, "config/cli-plugins/docker-compose"));
  });
  after(async () => {
    await daemon.close();
    rmSync(folder, { recursive: true, force: true });
  });

  describe("a project of three services", () => {
    test("comes up in the order of its health", async () => {
      assert.match((await run(program, ["version", "--short"])).stdout, /^2\./);
      await compose("shop", "up", "-d", "--wait");
      const started = await daemon.ok("inspect", "-f", "{{.State.StartedAt}}", "shop-db-1", "shop-api-1", "shop-web-1");
      assert.deepEqual(lines(started), lines(started).sort());
      const healthy = lines(await daemon.ok("inspect", "-f", "{{.State.Health.Status}}", "shop-db-1", "shop-api-1"));
      assert.deepEqual(healthy, ["healthy", "healthy"]);
    });

    test("services find each other on the networks that they share", async () => {
      const hostname = await daemon.ok("inspect", "-f", "{{.Config.Hostname}}", "shop-api-1");
      // Its page was written because the database was ready before it.
      assert.equal(await inService("web", "wget", "-qO-", "http://api:8080"), hostname);
      assert.equal(await inService("web", "wget", "-qO-", "http://gateway:8080"), hostname);
      assert.equal((await addressesOf("shop", "api", "db")).length, 1);
      assert.equal((await addressesOf("shop", "api", "web")).length, 1);
      assert.deepEqual(await addressesOf("shop", "web", "db"), []);
    });

    test("ports are published", async () => {
      assert.equal(await fetched("http://127.0.0.1:18601/"), "web");
      assert.equal(await fetched("http://127.0.0.1:18602/"), "web");
      assert.equal(await fetched("http://[::1]:18602/"), "web");
      assert.equal(await compose("shop", "port", "web", "80"), "127.0.0.1:18601");
      assert.equal(await compose("shop", "port", "web", "91"), "127.0.0.1:18604");
    });

    test("ps, logs, top, images, run and cp", async () => {
      const listed = lines(await compose("shop", "ps", "--format", "json")).map(
        (line) => JSON.parse(line) as { Service: string; Health: string },
      );
      assert.deepEqual(listed.map(({ Service, Health }) => `${Service} ${Health}`).sort(), ["api healthy", "db healthy", "web "]);
      assert.match(await compose("shop", "logs", "--no-log-prefix", "db"), /ready at last$/);
      assert.match(await compose("shop", "top", "db"), /sleep 1000/);
      assert.match(await compose("shop", "images"), /shop-web-1 +busybox +latest/);
      assert.match(
        await compose("shop", "run", "--rm", "-T", "--no-deps", "api", "sh", "-c", "ls /data; nslookup -type=a db"),
        /^ready\n.*Address: /s,
      );
      writeFileSync(join(folder, "file"), "copied");
      await compose("shop", "cp", join(folder, "file"), "web:/www/file");
      assert.equal(await fetched("http://127.0.0.1:18601/file"), "copied");
    });

    test("five of one service are all found, in turn", async () => {
      await compose("shop", "up", "-d", "--wait", "--no-recreate", "--scale", "api=5");
      const addresses = await addressesOf("shop", "web", "api");
      assert.equal(new Set(addresses).size, 5);
      const names = lines(await daemon.ok("ps", "--filter", "label=com.docker.compose.service=api", "--format", "{{.ID}}"));
      const answered = await inService("web", "sh", "-c", "for n in $(seq 60); do wget -qO- http://api:8080; done");
      assert.deepEqual(new Set(lines(answered)), new Set(names));
      const first = await inService("web", "sh", "-c", "for n in $(seq 40); do nslookup -type=a api | grep '^Address: ' | sed -n 1p; done");
      assert.equal(new Set(lines(first)).size, 5, "each comes first at times");
      await compose("shop", "scale", "api=2");
      assert.equal((await addressesOf("shop", "web", "api")).length, 2);
    });

    test("exec tells the status; restart keeps names and addresses", async () => {
      const failed = await run(program, ["-f", join(folder, "shop.yaml"), "exec", "-T", "web", "sh", "-c", "exit 9"]);
      assert.equal(failed.status, 9);
      const found = await addressesOf("shop", "web", "api");
      await compose("shop", "restart", "api");
      assert.deepEqual(await addressesOf("shop", "web", "api"), found);
    });

    test("what has changed is made anew, the rest stays", async () => {
      const [db, web] = [
        await daemon.ok("inspect", "-f", "{{.Id}}", "shop-db-1"),
        await daemon.ok("inspect", "-f", "{{.Id}}", "shop-web-1"),
      ];
      writeFileSync(join(folder, "shop.yaml"), shop.replace("echo web", "echo other"));
      await compose("shop", "up", "-d", "--wait", "--scale", "api=2");
      assert.equal(await daemon.ok("inspect", "-f", "{{.Id}}", "shop-db-1"), db);
      assert.notEqual(await daemon.ok("inspect", "-f", "{{.Id}}", "shop-web-1"), web);
      assert.equal(await fetched("http://127.0.0.1:18601/"), "other");
    });

    test("goes down with its volumes, and leaves nothing", async () => {
      await compose("shop", "down", "-v");
      assert.deepEqual(await leftOf(), []);
      await assert.rejects(fetch("http://127.0.0.1:18602/"));
    });
  });

  describe("a project of corner cases", () => {
    test("addresses of both families, aliases, a namespace of another service, networks from outside", async () => {
      await daemon.ok("network", "create", "compose-outside");
      await daemon.ok(
        "run",
        "-d",
        "--name",
        "neighbour",
        "--network",
        "compose-outside",
        "--stop-signal",
        "KILL",
        "busybox",
        "sleep",
        "1000",
      );
      await compose("corners", "up", "-d");
      const inner = (...words: string[]): Promise<string> => compose("corners", "exec", "-T", "inner", ...words);
      assert.deepEqual(await addressesOf("corners", "inner", "nail"), ["10.67.0.10"]);
      assert.match(await inner("nslookup", "-type=aaaa", "fixed"), /Address: fd67::10$/m);
      assert.match(await inner("ping", "-6", "-c", "1", "-W", "5", "fixed"), / 0% packet loss/);
      assert.equal(await inner("wget", "-qO-", "http://nail:8081"), "beside");
      assert.equal(await inner("wget", "-qO-", "http://[fd67::10]:8081"), "beside");
      assert.equal(
        await inner("cat", "/sys/class/net/eth0/mtu", "/sys/class/net/eth1/mtu").then((text) => lines(text).sort().join()),
        "1400,1500",
      );
      assert.match(await compose("corners", "exec", "-T", "fixed", "ping", "-c", "1", "-W", "5", "neighbour"), / 0% packet loss/);
      const mode = await daemon.ok("inspect", "-f", "{{.HostConfig.NetworkMode}}", "corners-beside-1");
      assert.equal(mode, `container:${await daemon.ok("inspect", "-f", "{{.Id}}", "corners-fixed-1")}`);
    });

    test("an internal network has no way out, and asks nobody", async () => {
      assert.doesNotMatch(await compose("corners", "exec", "-T", "alone", "ip", "route"), /default/);
      assert.equal((await addressesOf("corners", "alone", "inner")).length, 1);
      assert.deepEqual(await addressesOf("corners", "alone", "fixed"), []);
    });

    test("goes down; what is not its own stays", async () => {
      await compose("corners", "down", "-v");
      assert.deepEqual(lines(await daemon.ok("network", "ls", "--filter", "type=custom", "--format", "{{.Name}}")), ["compose-outside"]);
      await daemon.ok("rm", "-f", "neighbour");
      await daemon.ok("network", "rm", "compose-outside");
      assert.deepEqual(await leftOf(), []);
    });
  });

  test("berth compose is the same program", async () => {
    const file = join(folder, "shop.yaml");
    const berth = join(projectRoot, "berth");
    const up = await run(berth, ["compose", "-f", file, "up", "-d", "--wait"]);
    assert.equal(up.status, 0, up.stderr);
    const listed = await run(berth, ["compose", "-f", file, "ps", "--format", "{{.Service}}"]);
    assert.deepEqual(lines(listed.stdout).sort(), ["api", "db", "web"]);
    const word = await run(berth, ["compose", "-f", file, "exec", "-T", "web", "cat"], { input: "typed" });
    assert.deepEqual(word, { status: 0, stdout: "typed", stderr: "" });
    assert.equal((await run(berth, ["compose", "-f", file, "down", "-v"])).status, 0);
    assert.deepEqual(await leftOf(), []);
  });
});

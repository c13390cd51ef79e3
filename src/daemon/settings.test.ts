import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { flags } from "./flag-table.ts";
import { usage } from "./parse-flags.ts";
import { explainRefusal, readCommand, reloadAttributes, reloadSettings, type Settings } from "./settings.ts";

const folder = mkdtempSync("/tmp/berth-test-daemon-");
after(() => rmSync(folder, { recursive: true }));

function file(content: unknown): string {
  const path = join(folder, "daemon.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function settings(...args: string[]): Settings {
  const command = readCommand(args);
  assert.ok(command.run === "daemon");
  return command.settings;
}

function refusal(...args: string[]): { text: string; exitCode: number } {
  try {
    readCommand(args);
  } catch (error) {
    return explainRefusal(error);
  }
  throw new assert.AssertionError({ message: `${args.join(" ")} was taken` });
}

describe("the command line", () => {
  test("is read as dockerd reads its", () => {
    const read = settings(
      "-Dl",
      "warn",
      "-H",
      "unix:///a",
      "-Hunix:///b",
      "--host=tcp://127.0.0.1:1",
      "--mtu",
      "1400",
      "--label=a=b",
      "--ip-masq=false",
      "--log-opt",
      "max-size=10m",
      "--log-opt=max-file=3",
      "-p=/x.pid",
    );
    assert.deepEqual(read.hosts, ["unix:///a", "unix:///b", "tcp://127.0.0.1:1"]);
    assert.equal(read.logLevel, "debug");
    assert.equal(read.network.mtu, 1400);
    assert.equal(read.network.ipMasq, false);
    assert.deepEqual(read.labels, ["a=b"]);
    assert.deepEqual(read.logOptions, { "max-size": "10m", "max-file": "3" });
    assert.equal(read.pidFile, "/x.pid");
    assert.equal(settings("-l", "warn").logLevel, "warn");
  });

  test("has defaults", () => {
    const read = settings();
    assert.deepEqual(read.hosts, ["unix:///run/berth/berth.sock"]);
    assert.equal(read.dataRoot, "/var/lib/berth");
    assert.equal(read.pidFile, "/run/berth/berthd.pid");
    assert.deepEqual(settings("--exec-root=/x", "--docker-socket").hosts, ["unix:///x/berth.sock", "unix:///var/run/docker.sock"]);
  });

  test("that is wrong is refused in dockerd's words", () => {
    const see = "\nSee 'berthd --help'.";
    for (const [args, text] of [
      [["--nope"], "unknown flag: --nope"],
      [["-x"], "unknown shorthand flag: 'x' in -x"],
      [["foo"], '"berthd" accepts no arguments'],
      [["--data-root"], "flag needs an argument: --data-root"],
      [["-H"], "flag needs an argument: 'H' in -H"],
      [["--debug=zz"], 'invalid argument "zz" for "-D, --debug" flag: strconv.ParseBool: parsing "zz": invalid syntax'],
      [["--mtu", "zz"], 'invalid argument "zz" for "--mtu" flag: strconv.ParseInt: parsing "zz": invalid syntax'],
    ] as const) {
      assert.deepEqual(refusal(...args), { text: text + see, exitCode: 125 });
    }
    assert.deepEqual(refusal("--log-level=zz"), { text: "unable to parse logging level: zz", exitCode: 1 });
    assert.equal(refusal("--label", "foo").text, "bad attribute format: foo");
    assert.equal(refusal("--default-ulimit", "foo").text, "invalid ulimit argument: foo");
    assert.equal(refusal("--default-address-pool", "foo").text, "invalid field 'foo' must be a key=value pair");
  });

  test("with what cannot be honoured is refused, whatever the flag", () => {
    for (const [arg, why] of [
      ["--iptables=false", "need their firewall rules"],
      ["--userns-remap=default", "not available"],
      ["--live-restore=false", "outlive"],
      ["--storage-driver=btrfs", "erofs and overlay2"],
      ["--authorization-plugin=x", "no plugins"],
      ["--exec-opt=native.cgroupdriver=systemd", "cgroupfs"],
      ["--default-runtime=runsc", "external OCI runtimes"],
      ["--ip=localhost", "IP address"],
      ["--default-publish-address=127.0.0.1,127.0.0.2", "one of IPv4 and one of IPv6"],
      ["--publish-mode=both", "forward or input"],
    ] as const) {
      const { text, exitCode } = refusal(arg);
      assert.equal(exitCode, 1);
      assert.ok(text.includes("cannot be honoured") && text.includes(why), text);
    }
    for (const arg of ["--live-restore", "--iptables", "--ipv6=false", "-s", "--userland-proxy=false"])
      settings(arg, ...(arg === "-s" ? ["overlay2"] : []));
  });

  test("has help for every flag", () => {
    const text = usage();
    for (const { name } of flags) assert.match(text, new RegExp(`--${name}\\b`));
    assert.equal(readCommand(["--help"]).run, "help");
    assert.equal(readCommand(["-v"]).run, "version");
    assert.equal(readCommand(["--validate", "--config-file", file({})]).run, "validate");
  });

  test("has ulimits and pools as dockerd's", () => {
    assert.deepEqual(settings("--default-ulimit", "nofile=1024:2048", "--default-ulimit=core=0").containers.ulimits, [
      { Name: "nofile", Soft: 1024, Hard: 2048 },
      { Name: "core", Soft: 0, Hard: 0 },
    ]);
    assert.match(refusal("--default-ulimit", "nofile=5:4").text, /soft limit must be less than or equal to hard limit: 5 > 4/);
    assert.deepEqual(settings("--default-address-pool", "base=10.0.0.0/8,size=24").network.addressPools, [
      { Base: "10.0.0.0/8", Size: 24 },
    ]);
    assert.deepEqual(settings("--default-address-pool", "base=fd00:1::/48,size=64").network.addressPools, [
      { Base: "fd00:1::/48", Size: 64 },
    ]);
    for (const wrong of ["base=x,size=24", "base=10.0.0.0/8,size=7", "base=fd00::/48,size=200"])
      assert.match(refusal("--default-address-pool", wrong).text, /invalid/);
    assert.equal(settings("--default-shm-size=1g").containers.shmSizeBytes, 2 ** 30);
  });
});

describe("networks' flags", () => {
  const network = (...args: string[]) => settings(...args).network;

  test("options of new networks, by driver", () => {
    const mtu = "com.docker.network.driver.mtu";
    const args = [`bridge=${mtu}=1400`, "bridge=a=b=c", "macvlan=parent=eth0"].map((text) => `--default-network-opt=${text}`);
    assert.deepEqual(network(...args).defaultNetworkOptions, { bridge: { [mtu]: "1400", a: "b=c" }, macvlan: { parent: "eth0" } });
    assert.match(refusal("--default-network-opt=bridge=a").text, /should be driver=option=value/);
  });

  test("what host-gateway stands for", () => {
    assert.equal(network().hostGateways, undefined);
    assert.deepEqual(network("--host-gateway-ip=192.0.2.1,fd00::1").hostGateways, ["192.0.2.1", "fd00::1"]);
    assert.deepEqual(network("--host-gateway-ip", "fd00::1", "--host-gateway-ip", "192.0.2.1").hostGateways, ["fd00::1", "192.0.2.1"]);
    assert.match(refusal("--host-gateway-ip=192.0.2.1,192.0.2.2").text, /only one IPv4 host gateway IP address/);
    assert.match(refusal("--host-gateway-ip=gateway").text, /is not an ip address/);
  });

  test("of the default bridge's IPv6", () => {
    const given = network("--ipv6", "--bip6=fd00:1::1/64", "--fixed-cidr-v6=fd00:1::/80", "--default-gateway-v6=fd00:1::9");
    assert.deepEqual(
      [given.ipv6, given.bip6, given.fixedCidrV6, given.defaultGatewayV6],
      [true, "fd00:1::1/64", "fd00:1::/80", "fd00:1::9"],
    );
    for (const [args, why] of [
      [["--bip6=10.0.0.1/8"], "invalid bip6: '10.0.0.1/8' is not a valid IPv6 subnet"],
      [["--fixed-cidr-v6=x"], "invalid fixed-cidr-v6: invalid CIDR address: x"],
      [["--default-gateway-v6=10.0.0.1"], "invalid default-gateway-v6: 10.0.0.1 is not an IPv6 address"],
      [
        ["--bip6=fd00:1::1/64", "--default-gateway-v6=fd00:2::1"],
        "invalid default-gateway-v6: fd00:2::1 is not part of the subnet of bip6 fd00:1::1/64",
      ],
      [
        ["--bip6=fd00:1::1/64", "--fixed-cidr-v6=fd00:2::/80"],
        "invalid fixed-cidr-v6: fd00:2::/80 is not part of the subnet of bip6 fd00:1::1/64",
      ],
    ] as const)
      assert.equal(refusal(...args).text, why);
  });

  test("switches", () => {
    const plain = network();
    assert.deepEqual([plain.icc, plain.ipv6, plain.allowDirectRouting], [true, false, false]);
    const other = network("--icc=false", "--allow-direct-routing");
    assert.deepEqual([other.icc, other.allowDirectRouting], [false, true]);
  });
});

describe("daemon.json", () => {
  const read = (content: unknown, ...args: string[]): Settings => settings("--config-file", file(content), ...args);
  const refused = (content: unknown, ...args: string[]): string =>
    refusal("--config-file", file(content), ...args).text.replace(/.*daemon\.json: /s, "");

  test("has dockerd's keys", () => {
    const found = read({
      debug: true,
      hosts: ["unix:///x"],
      "log-opts": { "max-size": "1m" },
      dns: ["9.9.9.9"],
      "dns-opts": ["ndots:1"],
      "insecure-registries": ["r:5000"],
      "default-address-pools": [{ base: "10.0.0.0/8", size: 24 }],
      "default-ulimits": { nofile: { Name: "nofile", Soft: 1, Hard: 2 } },
      "default-network-opts": { bridge: { "com.docker.network.driver.mtu": "1400" } },
      mtu: 1400,
      ip: "::1",
      "default-publish-address": "127.0.0.1,::1",
      "publish-mode": "input",
      features: { buildkit: true, "containerd-snapshotter": false },
    });
    assert.equal(found.debug, true);
    assert.deepEqual(found.hosts, ["unix:///x"]);
    assert.deepEqual(found.network.dns, ["9.9.9.9"]);
    assert.deepEqual(found.network.addressPools, [{ Base: "10.0.0.0/8", Size: 24 }]);
    assert.deepEqual(found.containers.ulimits, [{ Name: "nofile", Soft: 1, Hard: 2 }]);
    assert.equal(found.network.mtu, 1400);
    assert.deepEqual(found.network.defaultNetworkOptions, { bridge: { "com.docker.network.driver.mtu": "1400" } });
    assert.equal(found.network.publishAddress, "::1");
    assert.equal(found.network.defaultPublishAddress, "127.0.0.1,::1");
    assert.equal(found.network.publishMode, "input");
    assert.deepEqual(read("").hosts, ["unix:///run/berth/berth.sock"]);
  });

  test("of registries: mirrors of any, and proxies, which flags may name as well", () => {
    const found = read({
      mirrors: { "r.example": ["https://a", "http://b:1/x"] },
      proxies: { "http-proxy": "http://p:1", "no-proxy": "*.x" },
    });
    assert.deepEqual(found.mirrors, { "r.example": ["https://a", "http://b:1/x"] });
    assert.deepEqual(found.proxies, { httpProxy: "http://p:1", httpsProxy: undefined, noProxy: "*.x" });
    assert.equal(settings("--https-proxy", "http://q:2").proxies.httpsProxy, "http://q:2");
    assert.match(refused({ mirrors: { r: ["ftp://x"] } }), /invalid mirror: unsupported scheme "ftp"/);
    assert.match(refused({ mirrors: { r: "http://x" } }), /cannot unmarshal string/);
    assert.match(refused({ proxies: { "ftp-proxy": "x" } }), /don't match any configuration option: proxies.ftp-proxy/);
    assert.match(
      refused({ proxies: { "http-proxy": "http://p" } }, "--http-proxy", "http://q"),
      /both as a flag and in the configuration file/,
    );
  });

  test("that is wrong is refused in dockerd's words", () => {
    assert.equal(refused({ foo: 1, bar: 2 }), "the following directives don't match any configuration option: foo, bar");
    assert.equal(
      refused({ debug: true, hosts: ["unix:///x"] }, "-D", "-H", "unix:///y"),
      "the following directives are specified both as a flag and in the configuration file: debug: (from flag: true, from file: true), hosts: (from flag: [unix:///y], from file: [unix:///x])",
    );
    assert.equal(refused({ debug: "x" }), "json: cannot unmarshal string into Go struct field Config.debug of type bool");
    assert.equal(refused({ dns: "x" }), "json: cannot unmarshal string into Go struct field Config.dns of type []string");
    assert.match(refused("{"), /JSON/);
    assert.match(refused({ runtimes: { kata: { path: "/x" } } }), /kata.*not available/);
    assert.match(refused({ iptables: false }), /cannot be honoured/);
    assert.match(refusal("--config-file", `${folder}/none.json`).text, /open .*none\.json: no such file or directory$/);
  });
});

describe("a reload", () => {
  test("takes over what dockerd takes over; what the file no longer names stays, but for limits of transfers", () => {
    const path = file({ labels: ["a=b"], "max-concurrent-downloads": 9, mtu: 1400 });
    const args = ["--config-file", path, "--shutdown-timeout=5"];
    const first = settings(...args);
    assert.deepEqual(first.transfers, { maxConcurrentDownloads: 9, maxConcurrentUploads: 5, maxDownloadAttempts: 5 });
    writeFileSync(path, JSON.stringify({ debug: true, "insecure-registries": ["r:1"], mtu: 1300, features: { buildkit: true } }));
    const next = reloadSettings(args, first);
    assert.deepEqual([next.debug, next.logLevel, next.labels, next.insecureRegistries], [true, "debug", ["a=b"], ["r:1"]]);
    assert.equal(next.network.mtu, 1400);
    assert.equal(next.shutdownTimeoutSeconds, 5);
    assert.equal(next.transfers.maxConcurrentDownloads, 3);
    assert.equal(reloadAttributes(next, "private")["features"], "map[buildkit:true]");
    assert.equal(reloadAttributes(next, "private")["default-shm-size"], "67108864");
    writeFileSync(path, JSON.stringify({ "image-gc": { "keep-storage": "1GB", interval: "1h", pins: ["a"] } }));
    const collecting = reloadSettings(args, next);
    assert.deepEqual(collecting.imageCollection, { policy: { keepStorageBytes: 2 ** 30, pins: ["a"] }, intervalMs: 3_600_000 });
    writeFileSync(path, "{}");
    assert.deepEqual(reloadSettings(args, collecting).imageCollection, collecting.imageCollection);
    writeFileSync(path, JSON.stringify({ "image-gc": {} }));
    assert.deepEqual(reloadSettings(args, collecting).imageCollection, { policy: { pins: [] }, intervalMs: 600_000 });
    writeFileSync(path, JSON.stringify({ "shutdown-timeout": 9 }));
    assert.throws(
      () => reloadSettings(args, next),
      /both as a flag and in the configuration file: shutdown-timeout: \(from flag: 5, from file: 9\)/,
    );
    writeFileSync(path, JSON.stringify({ "registry-mirrors": ["ftp://x"] }));
    assert.throws(() => reloadSettings(args, next), /invalid mirror: unsupported scheme "ftp" in "ftp:\/\/x"/);
  });
});

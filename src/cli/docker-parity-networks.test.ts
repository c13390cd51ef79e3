/** Networks and ports as docker's client understands them: see same-as-docker.ts. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bundleClient, runClient } from "./bundled-client.ts";
import { type SameOptions, sameAsDocker } from "./same-as-docker.ts";
import { type Answer, type Script, ScriptedDaemon } from "./scripted-daemon.ts";

const id = "a".repeat(64);
const refused = (message: string): Answer => ({ failure: 404, message });
const done: Answer = { json: null, status: 204 };

const network = {
  Name: "net",
  Id: "b".repeat(64),
  Created: "2026-11-21T10:00:00.12Z",
  Scope: "local",
  Driver: "bridge",
  EnableIPv4: true,
  EnableIPv6: false,
  IPAM: { Driver: "default", Options: null, Config: [{ Subnet: "10.1.0.0/16", Gateway: "10.1.0.1" }] },
  Internal: false,
  Attachable: false,
  Ingress: false,
  ConfigFrom: { Network: "" },
  ConfigOnly: false,
  Containers: {
    [id]: { Name: "web", EndpointID: "e", MacAddress: "02:42:ac:11:00:02", IPv4Address: "10.1.0.2/16", IPv6Address: "" },
  },
  Options: { "com.docker.network.driver.mtu": "1400" },
  Labels: { b: "2" },
};

const networks: Script = {
  "POST /networks/create": { json: { Id: network.Id, Warning: "" }, status: 201 },
  "GET /networks": {
    json: [network, { ...network, Name: "net10", Internal: true, Labels: {} }, { ...network, Name: "net9", EnableIPv4: false }],
  },
  "GET /networks/net": { json: network },
  "GET /networks/no": refused("network no not found"),
  "GET /containers/net/json": refused("No such container: net"),
  "GET /images/net/json": refused("No such image: net:latest"),
  "DELETE /networks/net": done,
  "DELETE /networks/no": refused("network no not found"),
  "DELETE /networks/busy": { failure: 403, message: "error while removing network: network busy has active endpoints" },
  "POST /networks/net/connect": { json: null },
  "POST /networks/net/disconnect": { json: null },
  "POST /networks/no/connect": refused("network no not found"),
  "POST /networks/no/disconnect": refused("network no not found"),
  "POST /networks/prune": { json: { NetworksDeleted: ["net", "net9"] } },
};

const verbs = `
  net|-d macvlan net|--internal --attachable --ingress --scope swarm net|--ipv6 net|--ipv6=false --ipv4=false net|--ipv4=x net
  --config-only net|--config-from base net|--label a=b --label c -o x=y -o com.docker.network.bridge.name=br7 net|--label =x net|-o x net|--opt =x net
  --ipam-driver null --ipam-opt a=b net|--ipam-opt a net|net other||--nosuch net
  --subnet 10.1.0.0/16 net|--subnet 10.1.0.0/16 --ip-range 10.1.2.0/24 --gateway 10.1.0.9 --aux-address a=10.1.0.5 --aux-address b=10.1.0.6 net
  --subnet 10.1.0.0/16,10.2.0.0/16 net|--subnet fd00:1::/64 --ipv6 --gateway fd00:1::9 net|--subnet 10.1.0.0/16 --subnet fd00:1::/64 --gateway 10.1.0.1 --gateway fd00:1::1 --ip-range fd00:1::/80 net
  --subnet 10.1.0.0/16 --subnet 10.1.2.0/24 net|--subnet 10.1.2.0/24 --subnet 10.1.0.0/16 net|--subnet 10.1.0.0/16 --subnet 10.1.0.0/16 net
  --gateway 10.1.0.1 net|--ip-range 10.1.0.0/24 net|--aux-address a=10.1.0.5 net|--subnet 10.1.0.0/16 --gateway 10.2.0.1 net|--subnet 10.1.0.0/16 --ip-range 10.2.0.0/24 net
  --subnet 10.1.0.0/16 --aux-address a=10.2.0.1 net|--subnet 10.1.0.0/16 --aux-address a= net|--subnet 10.1.0.0/16 --aux-address a net|--subnet 10.1.0.0/16 --gateway x net
  --subnet x net|--subnet 10.1.0.0 net|--subnet 10.1.0.0/33 net|--subnet 10.1.0.0/16 --ip-range 10.1.0.0/x net|--subnet 10.1.0.7/16 net|--subnet x --gateway 10.1.0.1 net
  --subnet 10.1.0.0/16 --subnet 10.2.0.0/16 --gateway 10.1.0.1 --gateway 10.1.0.2 net|--subnet 10.1.0.0/16 --subnet 10.2.0.0/16 --ip-range 10.1.1.0/24 --ip-range 10.1.2.0/24 net
  --subnet 10.1.0.0/16 --subnet x net|--subnet 10.1.0.0/16 --gateway 10.1.0.1 --gateway 10.1.0.2 net`;

const otherVerbs = `
  connect net web|connect no web|connect net|connect|connect net web x|connect --alias a --alias b,c net web|connect --ip 10.1.0.7 --ip6 fd00::7 net web
  connect --link a:b --link c net web|connect --link a:b:c net web|connect --link-local-ip 169.254.1.1,169.254.1.2 net web|connect --driver-opt a=b,c=d --driver-opt e= net web
  connect --driver-opt a net web|connect --driver-opt =a net web|connect --gw-priority -5 net web|connect --gw-priority x net web|connect --ip x net web
  disconnect net web|disconnect -f net web|disconnect no web|disconnect net
  ls|ls -q|ls --no-trunc|ls -q --no-trunc|ls --format json|ls -f driver=bridge -f name=x --filter label=a=b|ls -f x|ls x|list|ls --format raw|ls --format table|ls -q --format {{.Name}}
  ls --format {{.ID}}:{{.Name}}:{{.Driver}}:{{.Scope}}:{{.IPv4}}:{{.IPv6}}:{{.Internal}}:{{.Labels}}:{{.CreatedAt}}|ls --format {{.Label}}|ls --format {{.Nosuch}}|ls --format table#{{.Name}}{{.Driver}}{{.Nosuch}}
  ls --format {{.Label#"a"}}|ls --format table#{{.Name}}\\t{{.CreatedAt}}\\t{{.IPv4}}\\t{{.IPv6}}\\t{{.Internal}}\\t{{.Labels}}\\t{{.Label#"b"}}
  inspect net|inspect net no|inspect no|inspect -v net|inspect|inspect -f {{.Name}}{{.Id}} net|inspect -f {{.Name}}{{.ID}} net|inspect -f {{json#.}} net|inspect -f json net|inspect -f {{.Created}} net
  inspect -f {{range#.IPAM.Config}}{{.Subnet}}{{.Gateway}}{{.IPRange}}{{.AuxAddress}}{{end}} net|inspect -f {{.Options}}{{.Labels}}{{.Containers}} net
  inspect -f {{range#$k,$v:=.Containers}}{{$k}}{{$v.Name}}{{$v.IPv4Address}}{{end}} net|inspect -f {{.IPAM}} net|inspect -f {{.IPAM.Config}} net|inspect -f {{.Peers}}{{.Services}}{{.ConfigFrom}}{{.ConfigOnly}} net
  inspect -f {{.EnableIPv4}}{{.EnableIPv6}}{{.Internal}}{{.Attachable}}{{.Ingress}}{{.Scope}} net|inspect -f {{.Nosuch}} net|inspect -f {{index#.Options#"com.docker.network.driver.mtu"}}{{.IPAM.Options}}{{.IPAM.Driver}} net
  rm net|rm net no busy net|rm -f no net|rm -f busy|rm|remove net|prune -f|prune -f --filter until=1h --filter label!=x|prune --filter x|prune|nosuch|--nosuch`;

const ports = `
  -p 80|-p 80/tcp|-p 80/udp|-p 80/sctp|-p 80/TCP|-p 80/icmp|-p 80/|-p /tcp|-p 80/tcp/udp|-p :80|-p ::80|-p 0|-p 0:80|-p 65535|-p 65536|-p -1|-p 080
  -p 8080:80|-p 8080:80/udp|-p 8080:|-p :8080:80|-p 8080::80|-p a:80|-p 80:a|-p 127.0.0.1:8080:80|-p 127.0.0.1::80|-p 127.0.0.1:80|-p 127.0.0.1|-p 127.0.0.1:8080-8081:80-81
  -p [::1]:8080:80|-p [::1]::80|-p ::1:8080:80|-p ::1::80|-p [::]:8080:80|-p [::1]:80|-p ::8080:80|-p [fe80::1%eth0]:1:2|-p [::1]8080:80|-p [127.0.0.1]:1:2|-p 2001:db8::1:8080:80
  -p 8000-8002:90-92|-p 8000-8002:90|-p 8000-8002:90-91|-p 90-92|-p 127.0.0.1::90-92|-p 92-90|-p 8002-8000:90-92|-p 8000-:90|-p 90-|-p -90|-p 90-91-92|-p 8000-8001:90-91/udp|-p 8000:90-91
  -p 127.0.0.300:80:80|-p localhost:80:80|-p 1:2:3:4|-p 80#-p 80|-p 81:80#-p 82:80#-p 83:80/udp|-p 80#--expose 80|-p#8080:80,8081:81|-p 80,81|-p 0x50|-p +80|-p 8.5:80
  -p target=80|-p target=80,published=8080|-p published=8080,target=80,protocol=udp|-p published=8080|-p target=80,mode=host|-p target=80,mode=ingress|-p target=80,foo=1|-p target=a|-p target=80,published=a
  -p target=80,published=8080-8082|-p target=80-82,published=8080-8082|-p target=80,protocol=icmp|-p target=80,mode=x|-p target|-p target=80,target=81|-p TARGET=80,PROTOCOL=UDP|-p target=80,published=
  --expose 80|--expose 80/udp|--expose 80/UDP|--expose 80-82|--expose 80-82/sctp|--expose 82-80|--expose 80/icmp|--expose a|--expose 70000|--expose 127.0.0.1:80|--expose 80-|--expose /tcp|--expose 80/|--expose 80/tcp/udp
  -P|-P --expose 80|-P -p 80|--publish-all=false -p 1:2`;

const endpoints = `
  --network foo|--network bridge|--network default|--network host|--network none|--network container:x|--network container:|--net foo|--network foo --net bar|--network=
  --network foo --network bar|--network foo --network foo|--network bridge --network foo|--network host --network foo|--network none --network foo|--network container:x --network foo|--network name=foo --network name=foo
  --network name=foo|--network name=foo,alias=a,alias=b|--network name=foo,alias=a,link=b:c|--network foo,alias=a|--network NAME=foo,ALIAS=a|--network name=foo,name=bar|--network alias=a|--network name=
  --network name=foo,ip=10.1.0.7|--network name=foo,ip=x|--network name=foo,ip=fd00::1|--network name=foo,ip6=fd00::7|--network name=foo,ip6=x|--network name=foo,ip6=10.1.0.1|--network name=foo,ip=
  --network name=foo,mac-address=92:d0:c6:0a:29:33|--network name=foo,mac-address=x|--network name=foo,mac-address=92-d0-c6-0a-29-33|--network name=foo,mac-address=92d0.c60a.2933|--network name=foo,mac-address=
  --network name=foo,link-local-ip=169.254.1.1|--network name=foo,link-local-ip=169.254.1.1,link-local-ip=fe80::1|--network name=foo,link-local-ip=x
  --network name=foo,driver-opt=a=b|--network name=foo,driver-opt=a=b,driver-opt=c=d|--network name=foo,driver-opt=a|--network name=foo,driver-opt==b
  --network name=foo,"driver-opt=a=b,c=d"|--network name=foo,gw-priority=5|--network name=foo,gw-priority=-5|--network name=foo,gw-priority=x|--network name=foo,gw-priority=+5|--network name=foo,gw-priority=|--network name=foo,x=y|--network name=foo,x|--network name=foo,|--network foo=bar
  --network name=foo,ip=10.1.0.7 --network name=bar,ip6=fd00::7,alias=x --network baz|--network host,alias=x|--network name=host,alias=x|--network name=bridge,alias=x|--network name=none,ip=10.1.0.7|--network name=container:x,alias=a
  --network-alias x|--net-alias x|--network foo --network-alias x --network-alias y|--network bridge --network-alias x|--network host --network-alias x|--network name=foo,alias=a --network-alias x|--network foo --net-alias x --network-alias y|--network container:x --network-alias a
  --ip 10.1.0.7|--network foo --ip 10.1.0.7|--network foo --ip x|--network foo --ip fd00::1|--network name=foo,ip=10.1.0.7 --ip 10.1.0.8|--network host --ip 10.1.0.7|--network foo --network bar --ip 10.1.0.7
  --ip6 fd00::7|--network foo --ip6 fd00::7|--network foo --ip6 x|--network foo --ip6 10.0.0.1|--network name=foo,ip6=fd00::7 --ip6 fd00::8
  --link-local-ip 169.254.1.1|--network foo --link-local-ip 169.254.1.1 --link-local-ip fe80::1|--link-local-ip x|--network name=foo,link-local-ip=169.254.1.1 --link-local-ip 169.254.1.2
  --mac-address 92:d0:c6:0a:29:33|--network foo --mac-address 92:d0:c6:0a:29:33|--network host --mac-address 92:d0:c6:0a:29:33|--mac-address 92-d0-c6-0a-29-33|--mac-address 92D0.C60A.2933|--mac-address 92:d0:c6:0a:29|--mac-address 00:00:00:00:fe:80:00:00
  --network name=foo,mac-address=92:d0:c6:0a:29:33 --mac-address 92:d0:c6:0a:29:33|--network foo --network bar --mac-address 92:d0:c6:0a:29:33
  --link a|--link a:b|--link a:b:c|--link :b|--link a:|--link :|--network foo --link a:b --link c|--network name=foo,link=a --link b|--network host --link a|--network foo --network bar --link a
  --dns 1.1.1.1|--dns ::1|--dns 127.0.0.1|--dns fe80::1%eth0|--dns x|--dns 1.1.1.1 --dns 8.8.8.8|--dns-opt ndots:1|--dns-option ndots:1 --dns-option use-vc|--dns-opt a --dns-option b
  --dns-search x.y --dns-search z|--dns-search .|--dns-search a..b|--dns-search -x|--dns-search x_y.z|--dns-search a/b|--dns-search x.y.
  --add-host a:1.2.3.4|--add-host a=1.2.3.4|--add-host a:::1|--add-host a=::1|--add-host a:[::1]|--add-host a=[::1]|--add-host a:host-gateway|--add-host a=host-gateway|--add-host a|--add-host a:|--add-host :1.2.3.4|--add-host =1.2.3.4
  --add-host a=b:1.2.3.4|--add-host a:b=1.2.3.4|--add-host a:x|--add-host a=1.2.3|--add-host a:[1.2.3.4]|--add-host a:[::1|--add-host a:1.2.3.4:5|--add-host a:fe80::1%eth0|--add-host A:1.2.3.4|--add-host a:Host-Gateway
  --hostname h --domainname d|-h h.d`;

const linesOf = (text: string): string[] => text.trim().split(/[|\n]\s*/);
const wordsOf = (line: string): string[] => (line === "" ? [] : line.split(" ").map((word) => word.replaceAll("#", " ")));

const printed = `
  inspect -f {{.NetworkSettings.Ports}} web|inspect -f {{json#.NetworkSettings.Ports}} web|inspect -f {{range#$p,$b:=.NetworkSettings.Ports}}{{$p}}{{range#$b}}{{.HostIP}}:{{.HostPort}}{{end}}{{end}} web
  inspect -f {{range#$p,$b:=.NetworkSettings.Ports}}{{$p}}{{range#$b}}{{.HostIp}}{{end}}{{end}} web|inspect -f {{.HostConfig.PortBindings}} web
  inspect -f {{(index#(index#.NetworkSettings.Ports#"80/tcp")#0).HostPort}} web
  inspect -f {{range#$n,$e:=.NetworkSettings.Networks}}{{$n}}{{$e.IPAddress}}{{$e.Aliases}}{{$e.GlobalIPv6Address}}{{end}} web|inspect -f {{.NetworkSettings.Networks.bridge.IPAddress}} web
  port web|port web 80|port web 80/tcp|port web 81|port web 443|port web 80/udp|port web x|port web 8080`;

describe("networks like docker's", () => {
  let daemon: ScriptedDaemon;
  const folder = mkdtempSync("/tmp/berth-test-parity-");
  const main = join(folder, "berth.cjs");
  before(async () => {
    daemon = await ScriptedDaemon.open();
    await bundleClient(main);
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const same = (script: Script, args: readonly string[], options: SameOptions = {}): Promise<void> =>
    sameAsDocker({ daemon, main }, script, args, options);

  for (const line of linesOf(verbs)) test(`network create ${line}`, () => same(networks, ["network", "create", ...wordsOf(line)]));
  for (const line of linesOf(otherVerbs))
    test(`network ${line}`, () => same(networks, ["network", ...wordsOf(line)], { anyRequests: /^(rm|remove|prune)/.test(line) }));
  for (const answer of ["n\n", "y\n", "Y\n", "yes\n", ""])
    test(`network prune answered ${answer.trim()}`, () => same(networks, ["network", "prune"], { input: answer }));
  test("inspect net", () => same(networks, ["inspect", "net"], { anyRequests: true }));
  test("inspect --type network net no", () => same(networks, ["inspect", "--type", "network", "net", "no"], { anyRequests: true }));

  const bindings = [
    { HostIp: "0.0.0.0", HostPort: "8080" },
    { HostIp: "::", HostPort: "8080" },
  ];
  const inspected: Script = {
    "GET /containers/web/json": {
      json: {
        Id: id,
        HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: "8080" }] } },
        NetworkSettings: {
          Ports: { "80/tcp": bindings, "80/udp": [{ HostIp: "::1", HostPort: "9000" }], "443/tcp": null },
          Networks: { bridge: { IPAddress: "172.17.0.2", Aliases: null, GlobalIPv6Address: "" } },
        },
      },
    },
  };
  for (const line of linesOf(printed)) test(line, () => same(inspected, wordsOf(line), { anyRequests: true }));

  const created: Script = { "POST /containers/create": { json: { Id: id, Warnings: [] }, status: 201 } };
  for (const line of [...linesOf(ports), ...linesOf(endpoints)])
    test(`create ${line}`, () => same(created, ["create", ...line.replaceAll("#", " ").split(" "), "busybox"]));

  test("names keep their capitals, unlike docker's", async () => {
    daemon.script = created;
    daemon.asked.length = 0;
    const network = "NAME=Web,Alias=API,driver-opt=sysctls=net.ipv4.conf.IFNAME.rp_filter=2";
    const { status } = await runClient("berth", main, ["create", "--network", network, "busybox"], {
      env: { ...process.env, DOCKER_HOST: daemon.host },
    });
    assert.equal(status, 0);
    const body = daemon.asked[0]?.body as { NetworkingConfig: unknown };
    assert.deepEqual(body.NetworkingConfig, {
      EndpointsConfig: { Web: { Aliases: ["API"], DriverOpts: { sysctls: "net.ipv4.conf.IFNAME.rp_filter=2" } } },
    });
  });
});

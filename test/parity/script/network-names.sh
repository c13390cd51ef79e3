# Names: the embedded resolver, /etc/hosts, /etc/resolv.conf, links
docker network create --subnet 10.64.0.0/24 na
docker network create --internal --subnet 10.64.1.0/24 nb
docker run -d --name aa --network na --ip 10.64.0.10 --network-alias web --network-alias shared busybox sleep 1000
docker run -d --name bb --network na --ip 10.64.0.11 --network-alias shared -h bhost --domainname example.test busybox sleep 1000
docker exec aa nslookup -type=a bb | grep ^Address | tail -1
docker exec aa nslookup -type=a bb. | grep ^Address | tail -1
docker exec aa nslookup -type=a BB | grep ^Address | tail -1
docker exec aa nslookup -type=a bb.na | grep ^Address | tail -1
docker exec aa nslookup -type=a bhost | grep ^Address | tail -1
docker exec aa nslookup -type=a $(docker inspect -f '{{.Id}}' bb | cut -c1-12) | grep ^Address | tail -1
docker exec aa nslookup -type=a shared | grep ^Address | tail -n +2 | sort
docker exec aa nslookup -type=aaaa bb | grep -v '^$'
docker exec aa nslookup -type=ptr 11.0.64.10.in-addr.arpa | grep name
docker exec aa nslookup 10.64.0.11 | grep name
docker exec aa nslookup -type=ptr 1.0.64.10.in-addr.arpa | grep name | sed 's/name = .*/name/'
docker exec aa nslookup -type=mx bb | grep -v '^$'
docker exec aa nslookup -type=a web 127.0.0.11 | grep ^Address
docker exec aa ping -c 1 -W 2 localhost | sed -n 1p
docker exec aa ping -c 1 -W 2 bb.na | sed -n 1p
# A network without a way out asks nobody
docker run --rm --network nb busybox nslookup -type=a nosuch.example.test | grep -v '^$'
docker run --rm --network nb --name cc --network-alias c2 busybox nslookup -type=a c2 | grep -c 'Address: 10.64.1'
# resolv.conf
docker run --rm --network na --dns 10.9.9.9 --dns-search a.test --dns-search b.test --dns-opt timeout:1 busybox grep -v '^#\|^$' /etc/resolv.conf
docker run --rm --network na --dns 10.9.9.9 --dns-search . busybox grep -v '^#\|^$' /etc/resolv.conf
docker run --rm --network na --dns 10.9.9.9 --dns-opt ndots:3 --dns-search a.test busybox grep -v '^#\|^$' /etc/resolv.conf
docker run --rm --dns 10.9.9.9 --dns 10.9.9.8 --dns-search a.test --dns-opt timeout:1 busybox grep -v '^#\|^$' /etc/resolv.conf
docker run --rm --network none --dns 10.9.9.9 --dns-search a.test busybox grep -v '^#\|^$' /etc/resolv.conf
docker run --rm --network host --dns 10.9.9.9 --dns-search a.test busybox grep -v '^#\|^$' /etc/resolv.conf
docker run --rm --network na --dns x busybox true
docker run --rm --dns-search '' --dns 10.9.9.9 busybox grep -v '^#\|^$' /etc/resolv.conf
docker create --name rr --dns 10.9.9.9 --dns-search a.test --dns-opt x busybox true
docker inspect -f '{{json .HostConfig.Dns}} {{json .HostConfig.DnsSearch}} {{json .HostConfig.DnsOptions}}' rr
docker rm rr
# hosts
docker run --rm --network na --ip 10.64.0.20 -h hh --add-host one:1.2.3.4 --add-host two=::1 --add-host three:10.0.0.1 busybox cat /etc/hosts
docker run --rm --network na --ip 10.64.0.20 -h hh --domainname d.test busybox sh -c 'grep hh /etc/hosts; hostname; hostname -f'
docker run --rm --network na --ip 10.64.0.20 --network-alias al --name nn -h hh busybox grep 10.64 /etc/hosts
docker run --rm --network na --add-host gw:host-gateway busybox grep -c 'gw$' /etc/hosts
docker run --rm --network none --add-host one:1.2.3.4 -h hh busybox cat /etc/hosts
docker run --rm --network host --add-host one:1.2.3.4 busybox grep one /etc/hosts
docker run --rm --network na --add-host one busybox true
docker run --rm --network na --add-host one:x busybox true
docker run --rm --network na --add-host one:1.2.3.4 busybox ping -c 1 -W 1 one 2>&1 | sed -n 1p
docker exec aa sh -c 'echo 9.9.9.9 mine >>/etc/hosts'
docker network connect nb aa
docker exec aa sh -c 'grep -c mine /etc/hosts; grep -c 10.64 /etc/hosts'
docker network disconnect nb aa
docker exec aa sh -c 'grep -c mine /etc/hosts; grep -c 10.64 /etc/hosts'
# Links on a user-defined network
docker run --rm --network na --link bb:alias busybox ping -c 1 -W 2 alias | sed -n 1p
docker run --rm --network na --link bb busybox ping -c 1 -W 2 bb | sed -n 1p
docker run --rm --network na --link bb:alias busybox sh -c 'grep -c alias /etc/hosts; env | grep -c ALIAS_'
docker run --rm --network na busybox ping -c 1 -W 1 alias >/dev/null 2>&1; echo $?
docker create --name ll --network na --link bb:alias --link aa busybox true
docker inspect -f '{{json .HostConfig.Links}} {{range .NetworkSettings.Networks}}{{json .Links}}{{end}}' ll
docker rm ll
docker run --rm --network na --link nosuch:x busybox true
docker run -d --name dd --network nb busybox sleep 1000
docker run --rm --network na --link dd:other busybox true
docker network connect --link bb:later na dd
docker exec dd ping -c 1 -W 2 later | sed -n 1p
docker inspect -f '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{json $e.Links}} {{end}}' dd
# Names come and go with their containers
docker stop -t 0 bb
docker exec aa ping -c 1 -W 1 bb >/dev/null 2>&1; echo $?
docker exec aa nslookup -type=a shared | grep ^Address | tail -n +2
docker start bb
docker exec aa ping -c 1 -W 2 bb | sed -n 1p
docker rm -f aa bb dd
# The default network has no names but links
docker run -d --name one busybox sleep 1000
docker run --rm busybox sh -c 'grep -c 127.0.0.11 /etc/resolv.conf'
docker run --rm --dns 127.0.0.1 busybox ping -c 1 -W 1 one >/dev/null 2>&1; echo $?
docker run --rm --link one:uno busybox sh -c 'grep -c uno /etc/hosts; ping -c 1 -W 2 uno >/dev/null; echo $?'
docker run --rm --network-alias x busybox true
docker network connect --alias x bridge one
docker rm -f one
docker network rm na nb

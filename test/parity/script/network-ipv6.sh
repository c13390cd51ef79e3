# IPv6 networks
docker network create --ipv6 --subnet fd63:1::/64 --subnet 10.63.0.0/24 dual
docker network inspect -f '{{.EnableIPv6}} {{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{"\n"}}{{end}}' dual | sort
docker network create --ipv6 --subnet fd63:2::/64 --gateway fd63:2::99 --subnet 10.63.1.0/24 other
docker network create --ipv6 --subnet fd63:1::/80 clash
docker network create --ipv6 --subnet fd63:3::/64 --gateway fd63:4::1 nx
docker network create --ipv6 --subnet fd63:3::/129 nx
docker network create --ipv6 --subnet fe80::/64 --subnet 10.63.2.0/24 nx; docker network rm nx
docker run -d --name aa --network dual busybox sleep 1000
docker run -d --name bb --network dual --ip6 fd63:1::77 --ip 10.63.0.77 --network-alias two busybox sleep 1000
docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}/{{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}} {{json .IPAMConfig}}{{end}}' aa bb
docker network inspect dual -f '{{range .Containers}}{{.Name}} {{.IPv4Address}} {{.IPv6Address}}{{"\n"}}{{end}}' | sort
docker exec bb ip -o -6 addr show dev eth0 scope global | awk '{print $4}'
docker exec bb ip -6 route | grep -v fe80 | awk '{print $1, $2, $3}' | sort
docker exec aa ping -6 -c 1 -W 2 fd63:1::77 | grep -c ' 0% packet loss'
docker exec aa ping -6 -c 1 -W 2 bb | sed -n 1p
docker exec aa nslookup -type=aaaa two | grep ^Address | tail -1
docker exec aa nslookup -type=ptr 7.7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.3.6.d.f.ip6.arpa | grep arpa
docker exec bb sh -c 'grep fd63 /etc/hosts'
docker exec bb grep -c ::1 /etc/hosts
docker network connect --ip6 fd63:2::5 other aa
docker exec aa ip -o -6 addr show scope global | awk '{print $4}' | grep fd63 | sort
docker run --rm --network dual --ip6 fd63:1::77 busybox true
docker run --rm --network dual --ip6 fd63:9::77 busybox true
docker run --rm --network dual --ip6 fd63:1::1 busybox true
docker run --rm --network dual --ip6 x busybox true
docker run --rm --ip6 fd63:1::88 busybox true
docker run --rm --network dual --sysctl net.ipv6.conf.eth0.disable_ipv6=1 busybox ip -o -6 addr show dev eth0
docker run -d --name cc --network dual -p 18431:80 busybox httpd -f -p 80 -h /etc
docker port cc
timeout 5 busybox wget -qO- 'http://[::1]:18431/hostname' | grep -c .
busybox wget -qO- 'http://127.0.0.1:18431/hostname' | grep -c .
docker run -d --name dd --network dual -p '[::1]:18432:80' busybox httpd -f -p 80 -h /etc
docker port dd
timeout 5 busybox wget -qO- 'http://[::1]:18432/hostname' | grep -c .
busybox nc -w 1 127.0.0.1 18432 </dev/null >/dev/null 2>\&1; echo $?
docker rm -f aa bb cc dd
docker network rm dual other

# connect, disconnect, aliases, addresses, containers on several networks
docker network create --subnet 10.62.0.0/24 na
docker network create --subnet 10.62.1.0/24 --gateway 10.62.1.254 nb
docker network create --internal --subnet 10.62.2.0/24 nc
docker run -d --name aa --network na busybox sleep 1000
docker network inspect na
docker run -d --name bb --network na --network-alias two --network-alias second --ip 10.62.0.77 -h bhost busybox sleep 1000
docker inspect -f '{{json .NetworkSettings}}' aa
docker inspect -f '{{json .NetworkSettings.Networks}}' bb
docker inspect -f '{{.HostConfig.NetworkMode}} {{.NetworkSettings.IPAddress}}|{{.NetworkSettings.Gateway}}|{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{$e.IPAddress}}/{{$e.IPPrefixLen}} {{$e.Gateway}} {{json $e.Aliases}} {{json $e.DNSNames}} {{json $e.IPAMConfig}}{{end}}' aa bb
docker network inspect na -f '{{range .Containers}}{{.Name}} {{.IPv4Address}} {{.IPv6Address}}{{"\n"}}{{end}}' | sort
docker exec aa ip -o -4 addr show dev eth0 | awk '{print $2, $4}'
docker exec aa ip route
# connect
docker network connect nb aa
docker network connect nb aa
docker exec aa ip -o -4 addr | awk '{print $2, $4}'
docker exec aa ip route
docker inspect -f '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{$e.IPAddress}} {{$e.Gateway}} {{json $e.Aliases}} {{json $e.DNSNames}}{{"\n"}}{{end}}' aa
docker network connect --alias more --alias evenmore --ip 10.62.1.9 nb bb
docker inspect -f '{{json .NetworkSettings.Networks.nb}}' bb
docker network inspect nb -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{"\n"}}{{end}}' | sort
docker exec aa ping -c 1 -W 2 bb | sed -n 1p
docker exec aa ping -c 1 -W 2 more | sed -n 1p
docker exec aa ping -c 1 -W 2 two | sed -n 1p
docker exec aa ping -c 1 -W 2 10.62.1.9 | grep -c ' 0% packet loss'
docker exec bb ping -c 1 -W 2 aa >/dev/null; echo $?
docker network connect nc aa
docker exec aa ip route | sort
docker ps --format '{{.Names}} {{.Networks}}' | tr ' ,' '\n\n' | sort | xargs
docker ps -f network=nb --format '{{.Names}}' | sort
docker ps -f network=nosuch --format '{{.Names}}'
docker ps -f network=$(docker network inspect -f '{{.Id}}' nc) --format '{{.Names}}'
docker stats --no-stream --format '{{.Name}}' aa
# refused
docker network connect nosuch aa
docker network connect na nosuch
docker network connect na ''
docker network connect '' aa
docker network connect host aa
docker network connect none aa
docker network connect --ip 10.62.2.5 nc aa
docker network connect --ip 10.62.9.5 nc bb
docker network connect --ip 10.62.2.1 nc bb
docker network connect --ip 10.62.2.0 nc bb
docker network connect --ip 10.62.2.255 nc bb
docker network connect --ip x nc bb
docker network connect --ip6 fd62::5 nc bb
docker network connect --ip6 x nc bb
docker network connect --ip 10.62.2.2 nc bb
docker network connect --link-local-ip x nc bb
docker network connect --link nosuch:x nc bb
docker network connect --driver-opt a=b nc bb
docker network inspect nc -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{"\n"}}{{end}}' | sort
# disconnect
docker network disconnect nc bb
docker network disconnect nc bb
docker network disconnect -f nc bb
docker network disconnect nosuch bb
docker network disconnect na nosuch
docker network disconnect -f na nosuch
docker network disconnect nb aa
docker exec aa ip -o -4 addr | awk '{print $2, $4}'
docker exec aa ip route | sort
docker exec aa ping -c 1 -W 1 more >/dev/null 2>&1; echo $?
docker inspect -f '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{end}}' aa
docker network disconnect na aa
docker network disconnect nc aa
docker inspect -f '{{json .NetworkSettings.Networks}} {{.HostConfig.NetworkMode}}' aa
docker exec aa ip -o -4 addr | awk '{print $2, $4}'
docker network connect na aa
docker exec aa ping -c 1 -W 2 two | sed -n 1p
# stopped containers
docker stop -t 0 aa bb
docker inspect -f '{{json .NetworkSettings.Networks}}' bb
docker network inspect na -f '{{len .Containers}}'
docker network connect --ip 10.62.2.50 --alias late nc bb
docker network connect nc bb
docker network disconnect nb bb
docker inspect -f '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{json $e.IPAMConfig}} {{json $e.Aliases}} {{end}}' bb
docker start bb
docker inspect -f '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{$e.IPAddress}} {{json $e.Aliases}} {{json $e.DNSNames}} {{end}}' bb
docker exec bb ip -o -4 addr | awk '{print $2, $4}' | sort -k 2
docker restart -t 0 bb
docker inspect -f '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{$e.IPAddress}} {{end}}' bb
docker rm -f aa bb
# several networks from the start
docker run -d --name cc --network name=na,ip=10.62.0.33,alias=ca --network name=nb,ip=10.62.1.33,alias=cb busybox sleep 1000
docker inspect -f '{{.HostConfig.NetworkMode}}{{range $n, $e := .NetworkSettings.Networks}} {{$n}} {{$e.IPAddress}} {{json $e.Aliases}} {{json $e.IPAMConfig}}{{end}}' cc
docker exec cc ip -o -4 addr | awk '{print $4}' | sort
docker run --rm --network nb busybox ping -c 1 -W 2 cb | sed -n 1p
docker run --rm --network na busybox ping -c 1 -W 1 cb >/dev/null 2>&1; echo $?
docker run --rm --network na --ip 10.62.0.33 busybox true
docker run --rm --network na --ip 10.62.0.34 --name free busybox ip -o -4 addr show dev eth0 | awk '{print $4}'
docker create --name dd --network na --network nb --network nc busybox sleep 1000
docker inspect -f '{{.HostConfig.NetworkMode}}{{range $n, $e := .NetworkSettings.Networks}} {{$n}} {{json $e.IPAddress}}{{end}}' dd
docker start dd
docker exec dd ip -o -4 addr | awk '{print $2}' | sort
docker rename dd ee
docker run --rm --network na busybox ping -c 1 -W 2 ee >/dev/null; echo $?
docker run --rm --network na busybox ping -c 1 -W 2 dd >/dev/null 2>&1; echo $?
docker network inspect nb -f '{{range .Containers}}{{.Name}} {{end}}' | tr ' ' '\n' | sort | xargs
docker rm -f cc ee
# MAC addresses
docker run --rm --network na --mac-address 02:42:0a:3e:00:99 busybox cat /sys/class/net/eth0/address | tr : .
docker run --rm --network name=na,mac-address=02:42:0a:3e:00:98 --network nb busybox cat /sys/class/net/eth0/address | tr : .
docker run --rm --mac-address 02:42:0a:3e:00:97 busybox cat /sys/class/net/eth0/address | tr : .
docker create --name mm --network na --mac-address 02:42:0a:3e:00:96 busybox true
docker inspect -f '{{.Config.MacAddress}} {{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}' mm | tr : .
docker rm mm
docker run --rm --mac-address xx busybox true
docker network rm na nb nc

# host, none, container, and what does not go together
docker network create --subnet 10.65.0.0/24 na
docker run --rm --network host busybox sh -c 'ls /sys/class/net | grep -c lo'
docker run --rm --network none busybox ls /sys/class/net
docker run --rm --network none busybox sh -c 'ip -o -4 addr; ip route'
docker run -d --name hh --network host busybox sleep 1000
docker inspect -f '{{json .NetworkSettings}}' hh
docker inspect -f '{{.HostConfig.NetworkMode}} {{.Config.Hostname}}' hh | sed 's/ .*/ H/'
docker run -d --name nn --network none busybox sleep 1000
docker inspect -f '{{json .NetworkSettings}}' nn
docker network inspect host -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}'
docker network inspect none -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}'
docker network connect na hh
docker network connect na nn
docker exec nn ip -o -4 addr show dev eth0
docker network connect bridge hh
docker network disconnect host hh
docker network disconnect none nn
docker network disconnect na hh
docker run --rm --network host -p 80:80 busybox true
docker create --name hp --network host -p 80:80 busybox true
docker inspect -f '{{json .HostConfig.PortBindings}} {{json .NetworkSettings.Ports}}' hp
docker rm hp
docker run --rm --network none -p 18501:80 busybox true
docker run --rm --network host --ip 10.65.0.5 busybox true
docker run --rm --network none --ip 10.65.0.5 busybox true
docker run --rm --network bridge --ip 10.65.0.5 busybox true
docker run --rm --network na --ip 10.66.0.5 busybox true
docker run --rm --network na --ip 10.65.0.1 busybox true
docker run --rm --network na --ip x busybox true
docker run --rm --network host --link hh:x busybox true
docker run --rm --network host --hostname changed busybox hostname
docker run --rm --network host --uts host --hostname changed busybox hostname
docker run --rm --network host --network-alias x busybox true
docker run --rm --network none --network-alias x busybox true
docker run --rm --network nosuch busybox true
docker run --rm --network '' busybox true
docker run --rm --network host --network na busybox true
docker run --rm --network na --network na busybox true
docker run --rm --network na --network nosuch busybox true
docker run --rm --network na --network none busybox true
docker create --network nosuch --name late busybox true
docker start late
docker rm late
docker create --network name=na,ip=10.66.0.5 --name late busybox true
docker start late
docker rm late
# container:
docker run -d --name aa --network na --ip 10.65.0.10 --network-alias web busybox sleep 1000
docker run --rm --network container:aa busybox ip -o -4 addr show dev eth0 | awk '{print $4}'
docker run --rm --network container:aa busybox hostname | grep -c $(docker inspect -f '{{.Config.Hostname}}' aa)
docker run -d --name shared --network container:aa busybox sleep 1000
docker inspect -f '{{.HostConfig.NetworkMode}} {{json .NetworkSettings.Networks}} {{.Config.Hostname}}|' shared | sed 's/container:[0-9a-f]*/container:ID/'
docker inspect -f '{{json .NetworkSettings}}' shared
docker network connect bridge shared
docker network disconnect na shared
docker network inspect na -f '{{range .Containers}}{{.Name}}{{end}}'
docker ps -f network=na --format '{{.Names}}'
docker port shared
docker exec shared ping -c 1 -W 2 web | sed -n 1p
docker rm -f shared
docker run --rm --network container:nosuch busybox true
docker run --rm --network container: busybox true
docker run --rm --network container:aa -p 80:80 busybox true
docker run --rm --network container:aa -P busybox true
docker run --rm --network container:aa --expose 80 busybox true
docker run --rm --network container:aa -h x busybox true
docker run --rm --network container:aa --dns 1.1.1.1 busybox true
docker run --rm --network container:aa --add-host a:1.2.3.4 busybox true
docker run --rm --network container:aa --mac-address 02:42:0a:41:00:99 busybox true
docker run --rm --network container:aa --link aa:b busybox true
docker run --rm --network container:aa --ip 10.65.0.9 busybox true
docker run --rm --network container:aa --network-alias x busybox true
docker create --name self --network container:self busybox true
docker start self
docker rm self
docker stop -t 0 aa
docker run --rm --network container:aa busybox true
docker create --name cc --network container:aa busybox true
docker start cc
docker rm aa
docker start cc
docker rm cc
docker rm -f hh nn
docker network rm na

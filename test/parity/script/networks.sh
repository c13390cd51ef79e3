# network create, ls, inspect, rm, prune, and their events
date +%s.%N >since
docker network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'
docker network create
docker network create --subnet 10.61.0.0/24 na
docker network create --subnet 10.61.1.0/24 na
docker network create -d bridge --subnet 10.61.2.0/24 --gateway 10.61.2.9 --ip-range 10.61.2.128/25 --aux-address one=10.61.2.5 --aux-address two=10.61.2.6 \
  --label x=1 --label yy -o com.docker.network.driver.mtu=1400 -o com.docker.network.bridge.name=brparity -o com.docker.network.bridge.enable_icc=false nb
docker network create --internal --attachable --subnet 10.61.3.0/24 nc
docker network inspect na nb nc
docker network inspect -f '{{.Name}} {{.Driver}} {{.EnableIPv6}} {{.Internal}} {{.Attachable}} {{.Ingress}} {{.ConfigOnly}} {{json .IPAM}} {{json .Options}} {{json .Labels}}' na nb nc
docker network inspect -f '{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}} {{.IPRange}} {{.AuxAddress}}{{end}}' nb
docker network inspect na nosuch -f '{{.Name}}'
docker network inspect nosuch
docker network inspect ''
docker network inspect -v -f '{{.Name}} {{len .Containers}}' na
docker inspect --type network na -f '{{.Name}} {{.Scope}}'
docker inspect nb -f '{{.Name}} {{index .Options "com.docker.network.driver.mtu"}}'
docker network inspect $(docker network ls -qf name=na | cut -c1-6) -f '{{.Name}}'
# What is refused
docker network create --subnet 10.61.0.0/25 nx
docker network create --subnet 10.61.0.0/16 nx
docker network create --subnet 10.61.4.0/24 --gateway 10.61.5.1 nx
docker network create --subnet 10.61.4.0/24 --ip-range 10.61.5.0/25 nx
docker network create --subnet 10.61.4.0/24 --aux-address a=10.61.5.1 nx
docker network create --subnet 10.61.4.0/24 --gateway 10.61.4.0 nx
docker network create --subnet 10.61.4.0/24 --gateway 10.61.4.255 nx
docker network create --subnet 10.61.4.0/24 --aux-address a=10.61.4.1 nx
docker network create --subnet 10.61.4.0/24 --aux-address a=10.61.4.7 --aux-address b=10.61.4.7 nx
docker network create --subnet 10.61.4.0/24 --gateway 10.61.4.3 --aux-address a=10.61.4.3 nx
docker network create --subnet 10.61.4.0/24 --aux-address a=x nx
docker network create --subnet 10.61.4.0/24 --ip-range 10.61.0.0/16 nx
docker network create --subnet 10.61.4.5/24 nx
docker network create --subnet 10.61.4.0/33 nx
docker network create --subnet 10.61.4.0 nx
docker network create --subnet 0.0.0.0/0 nx
docker network create --subnet 10.61.4.0/32 nx; docker network rm nx
docker network create --subnet 10.61.4.0/31 --gateway 10.61.4.1 nx; docker network rm nx
docker network create --subnet 10.61.4.0/30 nx; docker network rm nx
docker network create --subnet 10.61.4.0/24 --subnet 10.61.5.0/24 nx; docker network rm nx
docker network create --subnet 127.0.0.0/24 nx; docker network rm nx
docker network create --subnet 224.0.0.0/24 nx; docker network rm nx
docker network create --subnet fd61::/64 nx; docker network rm nx
docker network create --gateway 10.61.4.1 nx
docker network create -d nosuch nx
docker network create -d host nx
docker network create -d null nx
docker network create -d none nx
docker network create -d overlay nx
docker network create --scope swarm nx
docker network create --scope global nx; docker network rm nx
docker network create --scope nosuch nx; docker network rm nx
docker network create --ingress nx
docker network create --ipam-driver nosuch nx
docker network create --ipam-driver null nx; docker network rm nx
docker network create --ipam-opt a=b --subnet 10.61.4.0/24 nx; docker network inspect nx -f '{{json .IPAM}}'; docker network rm nx
docker network create bridge
docker network create host
docker network create none
docker network create default
docker network create container:x; docker network rm container:x
docker network create ''
docker network create ' '
docker network create a/b; docker network rm a/b
docker network create a:b; docker network rm a:b
docker network create -- -x; docker network rm -- -x
docker network create 'a b'; docker network rm 'a b'
docker network create .x; docker network rm .x
docker network create a
docker network rm a
docker network create x_y.z-0
docker network rm x_y.z-0
docker network create -o nosuch=1 --subnet 10.61.4.0/24 nx; docker network inspect nx -f '{{json .Options}}'; docker network rm nx
docker network create -o com.docker.network.bridge.name=brparity nx
docker network create -o com.docker.network.bridge.name=tooooooooooooolong nx
docker network create -o com.docker.network.driver.mtu=x nx
docker network create -o com.docker.network.driver.mtu=-1 nx
docker network create -o com.docker.network.bridge.enable_icc=x nx
docker network create -o com.docker.network.bridge.enable_ip_masquerade=x nx
docker network create -o com.docker.network.bridge.host_binding_ipv4=x nx
docker network create -o com.docker.network.bridge.default_bridge=true nx; docker network rm nx
docker network create --label =x nx
docker network create --subnet 10.61.4.0/24 -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 -o com.docker.network.bridge.enable_ip_masquerade=false nx
docker network inspect nx -f '{{json .Options}}'
docker network rm nx
docker network create --config-only --subnet 10.61.6.0/24 --label c=1 conf
docker network inspect conf
docker network create --config-from conf nf
docker network inspect nf
docker network create --config-from conf --subnet 10.61.7.0/24 nx
docker network create --config-from conf --attachable nx
docker network create --config-from nosuch nx
docker network create --config-from na nx
docker network create --config-only --config-from conf nx
docker run --rm --network conf busybox true
docker network rm conf
docker network rm nf
docker network rm conf
# ls
docker network ls --format '{{.Name}} {{.Driver}} {{.Scope}} {{.IPv6}} {{.Internal}} {{.Label "x"}}' -f name=nb
docker network ls --format json -f name=na | tr , '\n' | grep -v CreatedAt
docker network ls -f type=custom --format '{{.Name}}'
docker network ls -f type=builtin --format '{{.Name}}'
docker network ls -f type=nosuch
docker network ls -f driver=bridge --format '{{.Name}}'
docker network ls -f driver=null --format '{{.Name}}'
docker network ls -f label=x --format '{{.Name}}'
docker network ls -f label=x=1 --format '{{.Name}}'
docker network ls -f label=x=2 --format '{{.Name}}'
docker network ls -f label=yy -f name=na --format '{{.Name}}'
docker network ls -f name=n --format '{{.Name}}'
docker network ls -f name=^n --format '{{.Name}}'
docker network ls -f name=na -f name=nb --format '{{.Name}}'
docker network ls -f scope=local --format '{{.Name}}'
docker network ls -f scope=swarm --format '{{.Name}}'
docker network ls -f scope=nosuch --format '{{.Name}}'
docker network ls -f dangling=true --format '{{.Name}}'
docker network ls -f dangling=false --format '{{.Name}}'
docker network ls -f dangling=maybe
docker network ls -f nosuch=1
docker network ls -f id=$(docker network inspect -f '{{.Id}}' na | cut -c1-20) --format '{{.Name}}'
docker network ls -f id=nosuch --format '{{.Name}}'
docker network ls -q --no-trunc -f name=na | grep -c '^[0-9a-f]\{64\}$'
docker network ls --format 'table {{.Name}}\t{{.Driver}}\t{{.Label "x"}}' -f type=custom
# rm
docker network rm nosuch
docker network rm -f nosuch
docker network rm na nosuch nc
docker network rm bridge
docker network rm host none
docker network rm -f bridge
docker network create --subnet 10.61.0.0/24 na
docker run -d --name user --network na busybox sleep 100
docker network rm na
docker network rm -f na
docker network ls -f dangling=true --format '{{.Name}}'
docker stop -t 0 user
docker network rm na
docker start user
docker rm -f user
docker create --name later --network nb busybox true
docker network rm nb
docker start later
docker rm later
# prune
docker network create --subnet 10.61.0.0/24 --label keep=1 na
docker network create --subnet 10.61.1.0/24 --label keep=0 nb
docker network create --subnet 10.61.2.0/24 nc
docker network create --config-only nd
docker run -d --name user --network nc busybox sleep 100
docker network prune -f --filter label=nosuch
docker network prune -f --filter nosuch=1
docker network prune -f --filter until=1h
docker network prune -f --filter until=x
docker network prune -f --filter until=1h --filter until=2h
docker network prune -f --filter label!=keep
docker network prune -f --filter label=keep=0
echo n | docker network prune
docker network prune -f | sort
docker network ls --format '{{.Name}}'
docker stop -t 0 user
docker network prune -f
docker rm -f user
docker network rm nd
sleep 0.3; date +%s.%N >until
docker events --since $(cat since) --until $(cat until) --filter type=network --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}} {{.Scope}}' | grep -v disconnect
docker events --since $(cat since) --until $(cat until) --filter type=network --filter network=nc --format '{{.Action}}' | sort | uniq -c
docker events --since $(cat since) --until $(cat until) --filter event=prune --filter type=network --format '{{.Action}} {{.Actor.ID}} {{.Actor.Attributes}}'

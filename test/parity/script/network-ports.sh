# Published ports
docker network create --subnet 10.66.0.0/24 na
docker run -d --name aa --network na -p 18401:80 -p 127.0.0.1:18402:81/udp -p 18403-18405:90-92 --expose 70 --expose 71/udp busybox httpd -f -p 80 -h /etc
docker port aa
docker port aa 80
docker port aa 80/tcp
docker port aa 81/udp
docker port aa 81
docker port aa 70
docker port aa x
docker port nosuch
docker ps --format '{{.Ports}}'
docker inspect -f '{{json .NetworkSettings.Ports}}' aa
docker inspect -f '{{json .HostConfig.PortBindings}} {{json .Config.ExposedPorts}}' aa
docker inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}} {{.NetworkSettings.Ports}}' aa
busybox wget -qO- http://127.0.0.1:18401/hostname | grep -c .
docker run --rm --network host busybox wget -qO- http://127.0.0.1:18401/hostname | grep -c .
docker run --rm --network na busybox wget -qO- http://10.66.0.1:18401/hostname | grep -c .
docker run --rm busybox wget -qO- http://10.66.0.1:18401/hostname | grep -c .
docker run --rm --network na busybox wget -qO- http://aa/hostname | grep -c .
docker run --rm busybox wget -T 2 -qO- http://10.66.0.2/hostname 2>&1 | grep -c .
docker run -d --name bb --network na -p 18401:80 busybox sleep 1000 2>&1 | sed 's/([0-9a-f]*)/(ID)/'
docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{json .NetworkSettings.Ports}}' bb
docker rm bb
docker run -d --name bb --network na -p 127.0.0.1:18401:80 busybox sleep 1000 2>&1 | grep -c 'port is already allocated\|address already in use'
docker rm bb
docker run -d --name bb --network na -p 127.0.0.1:18402:80/tcp busybox sleep 1000
docker port bb
docker rm -f bb
docker stop -t 0 aa
docker port aa
docker ps -a --format '{{.Names}} {{.Ports}}'
docker inspect -f '{{json .NetworkSettings.Ports}}' aa
docker run -d --name bb --network na -p 18401:80 busybox sleep 1000
docker start aa 2>&1 | grep -c 'port is already allocated'
docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' aa
docker rm -f bb
docker start aa
busybox wget -qO- http://127.0.0.1:18401/hostname | grep -c .
docker rm -f aa
busybox nc -w 1 127.0.0.1 18401 </dev/null >/dev/null 2>\&1; echo $?
# Forms
docker create --name pp -p 80 -p 81/udp -p 18411:82 -p 127.0.0.1::83 -p 0.0.0.0:18412:84 -p 18413-18415:85 -p 90-91 busybox true
docker inspect -f '{{json .HostConfig.PortBindings}}' pp
docker inspect -f '{{json .NetworkSettings.Ports}}' pp
docker ps -a --format '{{.Ports}}'
docker port pp
docker rm pp
docker run -d --name pp -p 18413-18415:85 --network na busybox sleep 1000
docker port pp | grep -c ':1841[345]$'
docker run -d --name p2 -p 18413-18415:85 --network na busybox sleep 1000
docker run -d --name p3 -p 18413-18415:85 --network na busybox sleep 1000
docker run --name p4 -p 18413-18415:85 --network na busybox true 2>&1 | grep -c 'all ports are allocated\|already allocated\|port is already'
docker rm -f pp p2 p3 p4
docker run -d --name pp -P --expose 80 --expose 81/udp --network na busybox sleep 1000
docker port pp | sed 's/:[0-9]*$/:N/'
docker inspect -f '{{json .HostConfig.PortBindings}} {{.HostConfig.PublishAllPorts}}' pp
docker ps --format '{{.Ports}}' | sed 's/:[0-9]*-/:N-/g'
docker rm -f pp
docker run -d --name pp -p 18421:80 -p 18422:80 --network na busybox sleep 1000
docker port pp
docker ps --format '{{.Ports}}'
docker network disconnect na pp
docker port pp
docker network connect na pp
docker port pp
docker rm -f pp
docker run -d --name pp --network na -p 18423:80 -p 18424:81 busybox sleep 1000
docker ps -f publish=18423 --format '{{.Names}}'
docker ps -f publish=18423/udp --format '{{.Names}}'
docker ps -f expose=80 --format '{{.Names}}'
docker ps -f expose=80-90/tcp --format '{{.Names}}'
docker ps -f publish=18420-18430 --format '{{.Names}}'
docker rm -f pp
docker create -p 1.2.3.4.5:80:80 busybox true
docker create -p 99999:80 busybox true
docker create -p 80:80/foo busybox true
docker run --name pp -p 203.0.113.7:18425:80 busybox true 2>&1 | grep -c 'cannot assign requested address'
docker rm pp
docker run -d --name pp --network na -p 18426:80/udp -p 18426:80/tcp busybox sleep 1000
docker port pp
docker rm -f pp
docker network create --subnet 10.66.1.0/24 -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 nb
docker run -d --name pp --network nb -p 18427:80 busybox sleep 1000
docker port pp
docker rm -f pp
docker network create --internal --subnet 10.66.2.0/24 nc
docker run -d --name pp --network nc -p 18428:80 busybox sleep 1000
docker port pp
docker inspect -f '{{json .NetworkSettings.Ports}}' pp
docker exec pp ip route
docker network connect na pp
docker port pp
docker rm -f pp
docker network rm na nb nc

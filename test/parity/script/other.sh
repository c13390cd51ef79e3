# The same verbs by their long names, keys of what is answered, and flags that the other groups have not
docker container create --name aa -l k=v --network none busybox sh -c 'read x; echo got $x'
docker container ls -a --format '{{.Names}}'
docker container rm aa
docker create -i --name aa --network none busybox sh -c 'read x; echo got $x'
echo typed | docker start -ai aa
docker container logs aa
docker container wait aa
docker container rm aa
docker info -f '{{json .}}' | grep -o '"[A-Za-z0-9]*":' | sort -u
docker version -f '{{json .Server}}' | grep -o '"[A-Za-z0-9]*":' | sort -u
docker inspect busybox | grep -o '"[A-Za-z0-9]*":' | sort -u
docker network ls --no-trunc --format json | grep -o '"[A-Za-z0-9]*":' | sort -u
docker network inspect bridge -f '{{.Name}} {{.Driver}} {{.Scope}} {{.Internal}} {{.Attachable}} {{.EnableIPv6}} {{.IPAM.Driver}} {{len .Containers}}'
docker network inspect host none -f '{{.Name}} {{.Driver}} {{json .IPAM.Config}} {{json .Options}}'
docker network inspect nosuch
docker network rm bridge
docker network rm nosuch
docker network ls -q -f name=bridge | wc -l
docker network ls -f nosuch=1
docker run -d --name ports -P --expose 80 --expose 90/udp busybox sleep 100
docker port ports | grep -v '\[::\]' | sed 's/:[0-9]*$/:PORT/'
docker inspect -f '{{len .NetworkSettings.Ports}} {{.HostConfig.PublishAllPorts}}' ports
docker network inspect bridge -f '{{range .Containers}}{{.Name}}{{end}}'
docker stats --no-stream ports | head -1
docker stats --no-stream --format json ports | grep -o '"[A-Za-z]*":' | sort
docker rm -f ports
docker run -d --name first -p 127.0.0.1:18301:80 busybox sleep 100
docker run --name taken -p 127.0.0.1:18301:80 busybox true 2>&1 | grep -c 'port is already allocated\|address already in use'
docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' taken
docker rm -f first taken
docker run --rm --ip 10.9.8.7 busybox true
docker run --rm --network host --mac-address 02:42:ac:11:00:09 busybox true
docker run --rm --network none --mac-address 02:42:ac:11:00:09 busybox true
docker run --rm --mac-address 02:42:ac:11:00:77 busybox cat /sys/class/net/eth0/address | sed 's/:/-/g'
A=5 docker run --rm --network none -e A busybox sh -c 'echo $A'
printf 'B=6\n# no\nC=7\n' >env; docker run --rm --network none --env-file env busybox sh -c 'echo $B $C'
printf 'l=1\nm=2\n' >labels; docker create --name labelled --label-file labels busybox true
docker inspect -f '{{json .Config.Labels}}' labelled
docker container prune -f --filter label!=l
docker container prune -f --filter label=l=1 | sed 's/[0-9a-f]\{64\}/ID/'
docker run --name proxied --network none --init busybox sleep 100 & until docker ps | grep -q proxied; do sleep 0.1; done; sleep 0.3; kill -TERM $!; wait $!; echo $?
docker inspect -f '{{.State.ExitCode}}' proxied
docker rm proxied
docker run --rm --network none --name waits -d busybox sleep 3
docker wait waits
docker run -d --name many1 --network none busybox sleep 100
docker run -d --name many2 --network none busybox sleep 100
docker pause many1 nosuch many2
docker unpause many1 many2
docker stop -t 0 many1 nosuch many2
docker restart -t 0 many1 many2
docker kill many1 nosuch many2
docker wait many1 many2
docker rm many1 nosuch many2
docker create --name hh -h x --network host busybox true
docker inspect -f '{{.Config.Hostname}}' hh
docker rm hh
docker run --rm --network none --user 0:0 --privileged --pid host busybox sh -c 'test $(ls -d /proc/[0-9]* | wc -l) -gt 2; echo $?'
docker run --rm --network none --oom-kill-disable -m 16m busybox true
docker run --rm --network none --memory-swappiness 0 -m 16m busybox true
docker run --rm --network none --device-cgroup-rule 'c 1:3 r' busybox true
docker run --rm --network none --device-cgroup-rule 'bad' busybox true
docker run --rm --network none --security-opt label=disable --security-opt systempaths=unconfined busybox sh -c 'grep -c " /proc/" /proc/mounts'
docker run --rm --network none --ipc none busybox sh -c 'ls /dev/shm 2>&1'
docker run --rm --network none --ipc host busybox true
docker run --rm --network none --runtime runc --isolation default busybox true
docker run --rm --network none --stop-timeout -1 --stop-signal 15 busybox true
docker run --rm --network none --attach stdin --attach stdout busybox echo x
docker run --rm --network none -t -e TERM=dumb busybox sh -c 'echo $TERM'
docker run --rm --network none -w '' busybox pwd
docker run --rm --network none -u '' busybox id -u
docker run --rm --network none --entrypoint '["sh"]' busybox true
docker run --rm --network none --no-healthcheck --health-cmd true busybox true

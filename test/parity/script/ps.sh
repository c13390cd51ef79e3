# ps: filters and formats
docker volume create vol
docker create --name one --network none -l a=1 -l b=2 -v vol:/v busybox sh -c 'echo a long command line that is cut'
docker run -d --name two --network none -l a=2 --expose 80 busybox sleep 100
docker run --name three -l b=2 busybox sh -c 'exit 3'
docker run -d --name four -p 127.0.0.1:18123:80 -p 18124:81/udp busybox sleep 100
docker tag busybox other:tag
docker create --name five --network none --health-cmd true other:tag true
docker pause four
docker ps --format '{{.Names}}'
docker ps -a --format '{{.Names}}'
docker ps -a
docker ps -a -n 2 --format '{{.Names}}'
docker ps -l --format '{{.Names}}'
docker ps -aq | wc -l
docker ps -a --no-trunc --format '{{.Names}} {{.Command}}'
docker ps -a --format 'table {{.Names}}\t{{.Image}}\t{{.State}}\t{{.Status}}\t{{.Ports}}'
docker ps -a --format json
docker ps -a --format '{{.Names}}: {{.Labels}} | {{.Label "a"}} | {{.Mounts}} | {{.Networks}} | {{.LocalVolumes}} | {{.RunningFor}}'
docker ps -as --format '{{.Names}} {{.Size}}'
docker ps -a --filter name=o --format '{{.Names}}'
docker ps -a --filter name=^one$ --format '{{.Names}}'
docker ps -a --filter name=/one --format '{{.Names}}'
docker ps -a --filter id=$(docker inspect -f '{{.Id}}' two) --format '{{.Names}}'
docker ps -a --filter id=$(docker inspect -f '{{slice .Id 0 10}}' two) --format '{{.Names}}'
docker ps -a --filter label=a --format '{{.Names}}'
docker ps -a --filter label=a=2 --format '{{.Names}}'
docker ps -a --filter label=a --filter label=b --format '{{.Names}}'
docker ps -a --filter label=nosuch --format '{{.Names}}'
docker ps -a --filter label!=a --format '{{.Names}}'
docker ps --filter status=created --format '{{.Names}}'
docker ps -a --filter status=exited --format '{{.Names}}'
docker ps -a --filter status=running --format '{{.Names}}'
docker ps -a --filter status=paused --format '{{.Names}}'
docker ps -a --filter status=exited --filter status=paused --format '{{.Names}}'
docker ps -a --filter status=nosuch
docker ps -a --filter exited=3 --format '{{.Names}}'
docker ps -a --filter exited=0 --format '{{.Names}}'
docker ps -a --filter exited=x
docker ps -a --filter ancestor=busybox --format '{{.Names}}'
docker ps -a --filter ancestor=busybox:latest --format '{{.Names}}'
docker ps -a --filter ancestor=other:tag --format '{{.Names}}'
docker ps -a --filter ancestor=$(docker images -q busybox) --format '{{.Names}}'
docker ps -a --filter ancestor=nosuch --format '{{.Names}}'
docker ps -a --filter before=two --format '{{.Names}}'
docker ps -a --filter since=two --format '{{.Names}}'
docker ps -a --filter since=one --filter before=four --format '{{.Names}}'
docker ps -a --filter before=nosuch
docker ps -a --filter since=nosuch
docker ps -a --filter volume=vol --format '{{.Names}}'
docker ps -a --filter volume=/v --format '{{.Names}}'
docker ps -a --filter volume=nosuch --format '{{.Names}}'
docker ps -a --filter network=none --format '{{.Names}}'
docker ps -a --filter network=bridge --format '{{.Names}}'
docker ps -a --filter network=nosuch --format '{{.Names}}'
docker ps -a --filter publish=18123 --format '{{.Names}}'
docker ps -a --filter publish=80 --format '{{.Names}}'
docker ps -a --filter publish=18124/udp --format '{{.Names}}'
docker ps -a --filter publish=18120-18130 --format '{{.Names}}'
docker ps -a --filter publish=nosuch
docker ps -a --filter expose=80 --format '{{.Names}}'
docker ps -a --filter expose=80/tcp --format '{{.Names}}'
docker ps -a --filter expose=81/udp --format '{{.Names}}'
docker ps -a --filter health=none --format '{{.Names}}'
docker ps -a --filter health=healthy --format '{{.Names}}'
docker ps -a --filter health=nosuch
docker ps -a --filter is-task=true --format '{{.Names}}'
docker ps -a --filter is-task=false --format '{{.Names}}'
docker ps -a --filter is-task=x
docker ps -a --filter isolation=default --format '{{.Names}}'
docker ps -a --filter nosuch=1
docker ps -a --filter nosuch
docker ps -a --format '{{.Nosuch}}'
docker rm -f one two three four five
docker volume rm vol
docker rmi other:tag
docker ps -a

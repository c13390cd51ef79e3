# events of a container's and a volume's life
date +%s.%N >since
docker run --name aa --network none -l k=v busybox true
docker rename aa bb
docker start bb
docker wait bb
docker create --name cc --network none -v vol:/v busybox sleep 100
docker start cc
docker exec cc sh -c 'exit 3'
docker pause cc
docker unpause cc
docker update --cpu-shares 100 cc
docker kill -s CONT cc
docker top cc -o comm
docker cp cc:/etc/group .
docker cp group cc:/tmp
docker export cc | wc -c | grep -c .
docker commit cc img:x
docker tag img:x img:y
docker rmi img:x img:y
docker restart -t 0 cc
docker stop -t 0 cc
docker rm bb cc
docker volume rm vol
docker run --rm --name never --network none busybox nosuch
docker run -d --rm --name dd --network none -m 24m busybox tail /dev/zero
until [ -z "$(docker ps -aqf name=dd)" ]; do sleep 0.1; done
sleep 0.3; date +%s.%N >until
docker events --since $(cat since) --until $(cat until) --filter type=container --format '{{.Action}}' | grep -v '^stop$\|^unpause$'
docker events --since $(cat since) --until $(cat until) | sed 's,[^ ]* ,,; s,[0-9a-f]\{64\},ID,g; s,execDuration=[0-9]*,execDuration=N,' | sort -u
docker events --since $(cat since) --until $(cat until) --format json --filter container=bb
docker events --since $(cat since) --until $(cat until) --filter event=die --format '{{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.image}}'
docker events --since $(cat since) --until $(cat until) --filter type=volume --format '{{.Action}} {{.Actor.ID}} {{.Actor.Attributes}}' | sort -u
docker events --since $(cat since) --until $(cat until) --filter label=k=v --format '{{.Action}}'
docker events --since $(cat since) --until $(cat until) --filter image=busybox --filter event=create --format '{{.Action}} {{.From}} {{.Status}}'
docker events --since $(cat since) --until $(cat until) --filter scope=local --filter event=pause --format '{{.Scope}} {{.Action}}'
docker events --since nosuch
docker events --since $(cat until) --until $(cat since)
docker events --since 1h --until 59m
docker events --since $(cat since) --until $(cat until) --filter nosuch=1 --filter type=volume --format '{{.Action}}' | sort -u
docker events --since $(cat since) --until $(cat until) --filter type=nosuch

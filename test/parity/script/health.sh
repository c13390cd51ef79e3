# Health checks and restart policies
docker run -d --name aa --network none --health-cmd 'echo fine' --health-interval 300ms --health-retries 1 --health-timeout 5s busybox sleep 100
docker inspect -f '{{json .Config.Healthcheck}}' aa
until docker ps -f health=healthy | grep -q aa; do sleep 0.1; done
docker inspect -f '{{.State.Health.Status}} {{.State.Health.FailingStreak}}' aa
docker inspect -f '{{with index .State.Health.Log 0}}{{.ExitCode}} {{json .Output}}{{end}}' aa
docker ps --format '{{.Names}} {{.Status}} {{.State}}'
docker ps --filter health=healthy --format '{{.Names}}'
docker ps --filter health=none --format '{{.Names}}'
docker run -d --name bb --network none --health-cmd 'echo bad; exit 2' --health-interval 200ms --health-retries 1 busybox sleep 100
until [ $(docker inspect -f '{{len .State.Health.Log}}' bb) = 5 ]; do sleep 0.2; done
docker inspect -f '{{.State.Health.Status}} {{len .State.Health.Log}} {{with index .State.Health.Log 0}}{{.ExitCode}} {{json .Output}}{{end}}' bb
docker ps --filter health=unhealthy --format '{{.Names}} {{.Status}}'
docker stop -t 0 bb
docker inspect -f '{{.State.Health.Status}}' bb
docker run -d --name cc --network none --health-cmd 'sleep 10' --health-interval 200ms --health-timeout 200ms --health-retries 1 busybox sleep 100
until docker ps -f health=unhealthy | grep -q cc; do sleep 0.1; done
docker inspect -f '{{.State.Health.Status}} {{with index .State.Health.Log 0}}{{.ExitCode}} {{json .Output}}{{end}}' cc
docker run -d --name dd --network none --no-healthcheck busybox sleep 100
docker inspect -f '{{json .State.Health}} {{json .Config.Healthcheck}}' dd
docker run -d --name ee --network none --health-cmd true --health-start-period 10s --health-interval 10s busybox sleep 100
docker inspect -f '{{.State.Health.Status}}' ee
docker ps --filter health=starting --format '{{.Names}} {{.Status}}'
docker rm -f aa bb cc dd ee
docker run -d --name ff --network none --restart on-failure:2 busybox sh -c 'echo try; exit 4'
until docker inspect -f '{{.RestartCount}} {{.State.Status}}' ff | grep -q '2 exited'; do sleep 0.1; done
docker inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}} {{.State.Restarting}}' ff
docker logs ff
docker wait ff
docker rm ff
docker run -d --name gg --network none --restart always busybox sh -c 'exit 0'
until [ $(docker inspect -f '{{.RestartCount}}' gg) -gt 0 ]; do sleep 0.1; done
docker stop gg
docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' gg
docker rm gg
docker run -d --name hh --network none --restart unless-stopped busybox sleep 100
docker kill hh
sleep 0.5; docker inspect -f '{{.State.Running}} {{.RestartCount}}' hh
docker rm -f hh
docker run -d --name ii --network none --restart no busybox false
docker wait ii
docker inspect -f '{{.RestartCount}} {{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}' ii
docker rm ii

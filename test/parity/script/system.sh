# version, info, df, prune
docker version -f '{{.Server.Os}} {{.Server.Arch}} {{.Client.APIVersion}}'
docker version -f '{{.Nosuch}}'
docker info -f '{{.OSType}} {{.Architecture}} {{.CgroupDriver}} {{.CgroupVersion}} {{.LoggingDriver}} {{.Swarm.LocalNodeState}} {{.DefaultRuntime}} {{.IndexServerAddress}} {{.ExperimentalBuild}} {{.Isolation}}'
docker info -f '{{.MemoryLimit}} {{.SwapLimit}} {{.CPUShares}} {{.CPUSet}} {{.CPUCfsPeriod}} {{.CPUCfsQuota}} {{.PidsLimit}} {{.OomKillDisable}} {{.IPv4Forwarding}} {{json .Plugins.Volume}} {{json .Plugins.Authorization}}'
docker info -f '{{json .SecurityOptions}}'
docker info -f '{{json .Plugins.Log}} {{json .Plugins.Network}} {{.LiveRestoreEnabled}}'
docker info -f '{{.Containers}} {{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}} {{.Images}}'
docker run -d --name aa --network none busybox sleep 100
docker create --name bb -l x=1 -v vol:/v busybox true
docker create --name cc -v vol:/v busybox true
docker pause aa
docker info -f '{{.Containers}} {{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}} {{.Images}}'
docker system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'
docker system df
docker system df -v | grep -v '^$'
docker volume create lone
docker container prune -f --filter label=nosuch
docker container prune -f --filter until=1h
docker container prune -f --filter until=nosuch
docker container prune -f --filter nosuch=1
docker container prune -f --filter label=x
docker container prune -f
docker ps -a --format '{{.Names}}'
docker rm -f aa
docker run --rm --network none busybox true
docker create --name zz busybox true
docker system prune -f
docker system prune -f --volumes
docker volume ls -q
docker system prune -f --filter nosuch=1
docker system prune -f --filter until=x
docker volume rm vol lone
docker network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'
docker nosuch
docker plugin ls
docker swarm leave
docker node ls
docker service ls
docker secret ls
docker config ls
docker checkpoint ls xx
docker buildx ls >/dev/null 2>&1; echo

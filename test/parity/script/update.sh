# update
docker run -d --name aa --network none busybox sleep 100
docker update --cpu-shares 512 --cpuset-cpus 0 --pids-limit 50 aa
docker inspect -f '{{.HostConfig.CpuShares}} {{.HostConfig.CpusetCpus}} {{.HostConfig.PidsLimit}}' aa
docker update -m 64m --memory-swap 128m --memory-reservation 32m aa
docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.MemoryReservation}}' aa
docker update -m 256m aa
docker update -m 1m aa
docker update --cpus 0.5 aa
docker inspect -f '{{.HostConfig.NanoCpus}} {{.HostConfig.CpuQuota}}' aa
docker update --cpu-quota 50000 aa
docker update --cpus 99 aa
docker update --cpuset-cpus 99 aa
docker update --restart always aa
docker inspect -f '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}' aa
docker update --restart nosuch aa
docker update --restart always:2 aa
docker update --restart on-failure:2 aa
docker inspect -f '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}' aa
docker update --blkio-weight 5 aa
docker update --pids-limit -1 aa
docker inspect -f '{{json .HostConfig.PidsLimit}}' aa
docker update aa
docker update --cpu-shares 5 nosuch aa
docker stop -t 0 aa
docker update --cpu-shares 100 aa
docker start aa
docker inspect -f '{{.HostConfig.CpuShares}}' aa
docker rm -f aa
docker run --rm -d --name bb --network none busybox sleep 100
docker update --restart always bb
docker rm -f bb

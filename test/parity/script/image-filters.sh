# Filters of images, digests, what several names mean, archives of several images
mkdir -p r1 r2 r3; echo 1 >r1/f; echo 2 >r2/f; echo 3 >r3/f
tar -C r1 -c . | docker import -c 'LABEL a=1' -c 'LABEL b=x' - team/one:1 >/dev/null; sleep 1.1
tar -C r2 -c . | docker import -c 'LABEL a=2' - team/two:1 >/dev/null; sleep 1.1
tar -C r3 -c . | docker import - team/three:1 >/dev/null
docker tag team/one:1 team/one:2
docker tag team/one:1 localhost:5000/team/one:1
docker images --format '{{.Repository}}:{{.Tag}} {{.Digest}}' -f since=busybox | sort
docker images --digests --format '{{.Repository}}:{{.Tag}} {{.Digest}}' team/one
docker images -f label=a --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f label=a=1 --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f label=a=1 -f label=b --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f label=a=1 -f label=a=2 --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f label=c
docker images -f before=team/three:1 -f label=a --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f before=team/one:1 -f label=a --format '{{.Repository}}:{{.Tag}}'
docker images -f since=team/one:1 -f reference='team/*' --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f since=team/two:1 -f reference='team/*' --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f since=team/one:1 -f before=team/three:1 --format '{{.Repository}}:{{.Tag}}'
docker images -f reference='team/*:1' --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f reference='team/o?e' --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f reference='team/[ot]*:[12]' --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f reference='*/team/*' --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f reference='localhost:5000/*/*' --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f reference='team/one' -f reference='team/two' --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f reference='team/one:2' --format '{{.Repository}}:{{.Tag}}'
docker images 'team/*:2' --format '{{.Repository}}:{{.Tag}}'
docker images team/one:9
docker images -f dangling=false -f reference='team/*' --format '{{.Repository}}:{{.Tag}}' | sort
docker images -f dangling=true -f dangling=false
docker images -f dangling=maybe
docker images -f before=nosuch
docker images -f before=team/one:1 -f before=team/two:1 --format '{{.Repository}}'
docker images -f nosuch=x
docker images -f label
docker images -q team/one | sort -u | wc -l
docker images -q --no-trunc team/one | sort -u | cut -c1-7
docker images --format 'table {{.Repository}}\t{{.Tag}}\t{{.Containers}}' team/two
docker image ls -a --format '{{.Repository}}' team/two
docker history -q team/one:1 | wc -l
docker history --format '{{.CreatedBy}}|{{.Comment}}|{{.Size}}' team/one:1
docker image inspect team/one:1 -f '{{.RepoTags}}'
docker image inspect team/one:2 -f '{{len .RepoTags}} {{len .RepoDigests}} {{json .Config.Labels}} {{.Author}} {{.Comment}}'
docker image inspect team/one:1 team/nosuch:1 -f '{{.Os}}'
# Several images in one archive
docker save -o all.tar team/one team/two:1; tar -xOf all.tar manifest.json | grep -o '"RepoTags":[^]]*' | sort
docker save -o ids.tar $(docker images -q team/three); tar -xOf ids.tar manifest.json | grep -o '"RepoTags":[^,]*'
docker save team/nosuch
docker save team/one:9
docker save team/one:1 team/nosuch:2
docker save -o one.tar team/one:1; docker save -o again.tar team/one:1; cmp one.tar again.tar && echo same
docker rmi team/one:1 team/one:2 localhost:5000/team/one:1 team/two:1 | grep -c Untagged
docker load -i all.tar | sort
docker images -f reference='team/*' --format '{{.Repository}}:{{.Tag}}' | sort
docker rmi team/three:1 | grep -c .
docker load -q -i ids.tar | sed 's/[0-9a-f]\{64\}/ID/'
docker images -f dangling=true --format '{{.Repository}}:{{.Tag}}'
docker images -f dangling=true --filter label=a -q
docker image prune -f --filter label=nosuch
docker image prune -f --filter until=1h
docker image prune -f --filter nosuch=1
docker image prune -f | grep -c '^deleted'
docker tag team/two:1 team/one:1
docker images -f reference='team/*' --format '{{.Repository}}:{{.Tag}}' | sort
docker load -i all.tar | sed 's/[0-9a-f]\{64\}/ID/' | sort
docker images -f reference='team/*' --format '{{.Repository}}:{{.Tag}}' | sort
docker image prune -a -f --filter label=a=2 | grep '^untagged'
docker image prune -a -f --filter label!=a --filter label=nosuch
# Names and ids in removals
docker tag busybox team/b:1; docker tag busybox team/b:2
docker rmi team/b
docker rmi team/b:1
docker rmi team/b:1
docker rmi team/b:2 team/nosuch:1
docker rmi busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000
docker rmi sha256:0000000000000000000000000000000000000000000000000000000000000000
docker rmi 0000000000000000000000000000000000000000000000000000000000000000
docker rmi -f team/nosuch:1
docker rmi 'bad name'
docker rmi Upper
docker rmi team/one:
docker rmi --no-prune team/one:2
docker tag team/one:1 team/x@sha256:0000000000000000000000000000000000000000000000000000000000000000
docker tag team/one:1 sha256:x
docker tag nosuch:1 team/x
docker tag team/one:1 team/x:$(printf 'a%.0s' $(seq 129))
docker create --name stopped team/one:1 /f
docker rmi team/one:1 | sed 's/[0-9a-f]\{12\}/ID/g'
docker rmi $(docker images -q team/one:1)
docker rmi -f team/one:1
docker rm stopped
# Imports
tar -C r1 -c . | docker import --platform linux/arm64 - foreign:1 >/dev/null
docker image inspect -f '{{.Architecture}}' foreign:1
tar -C r1 -c . | docker import --platform windows - bad:1
tar -C r1 -c . | docker import -c 'LABEL' - bad:1
tar -C r1 -c . | docker import -c 'ENV' - bad:1
tar -C r1 -c . | docker import -c 'EXPOSE x' - bad:1
tar -C r1 -c . | docker import -c 'CMD' - empty:1 | cut -c1-7
tar -C r1 -c . | docker import -c 'FROM x' - bad:1
tar -C r1 -c . | docker import - bad:1@sha256:00
docker import nosuch:// bad:1
docker images --format '{{.Repository}}:{{.Tag}}' -f reference=bad
docker rmi foreign:1 empty:1 | grep Untagged
docker system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'

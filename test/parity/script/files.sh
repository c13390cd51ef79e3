# cp, export
docker create --name aa --network none busybox sh -c 'sleep 100'
mkdir -p src/sub; echo one >src/f; echo two >src/sub/g; ln -s f src/link; chmod 640 src/f
docker cp src aa:/dst
docker cp src aa:/dst
docker cp src/. aa:/flat
docker cp src/f aa:/file
docker cp src/f aa:/etc/
docker cp src/f aa:/etc
docker cp src/f aa:/nosuch/
docker cp src/f aa:/nosuch/x
docker cp src aa:/file
docker cp src/nosuch aa:/x
docker cp nosuch:/x .
docker cp aa:/nosuch .
docker cp aa:/dst out; find out | sort
docker cp aa:/dst out; find out | sort
docker cp aa:/flat/. flat; find flat | sort
docker cp aa:/file copied; cat copied
docker cp aa:/file nosuch/
docker cp aa:/dst copied
docker cp aa:/flat/link ll; readlink ll
docker cp -L aa:/flat/link mm; cat mm
docker cp src/link aa:/link1
docker cp -L src/link aa:/link2
docker cp aa:/flat - | tar -t | sort
docker cp aa:/file - | tar -tv | awk '{print $1,$2,$NF}'
tar -C src -c f sub | docker cp - aa:/from-tar
docker cp aa:/ - | tar -t | grep '^/*\(dst\|flat\|file\|from-tar\|link[12]\)' | sort
tar -C src -c f sub | docker cp - aa:/tmp
docker cp aa:/tmp - | tar -t | sort
docker cp -a src/f aa:/owned
docker cp src/f aa:
docker cp aa:/f -
docker cp aa:/x bb:/y
docker cp src/f other
docker cp -q src/f aa:/quiet
echo broken | docker cp - aa:/tmp
docker diff aa | sort
docker start aa
docker exec aa sh -c 'ls -ln /dst /flat /file /owned /etc/f | tr -s " " | cut -d" " -f1,3,4,9-'
docker exec aa cat /dst/f /dst/src/sub/g /flat/link /link2
docker cp src/f aa:/tmp/running
docker exec aa cat /tmp/running
docker cp aa:/proc/version - | tar -t
docker cp aa:/dev/null xx
docker cp src/f aa:/proc/x
docker cp aa:/etc/../etc/passwd pp; head -1 pp
docker exec aa ln -s /etc /tmp/etc-link
docker cp src/f aa:/tmp/etc-link/through
docker exec aa cat /etc/through
docker cp aa:/tmp/etc-link el; readlink el
docker exec aa ln -s ../../../../../../../nosuch /tmp/out
docker cp aa:/tmp/out oo; readlink oo
docker cp -L aa:/tmp/out o2
docker cp src/f aa:/tmp/out
docker export aa | tar -t | grep '^bin/sh$'
docker export aa | tar -t dst/ | sort
docker export -o e.tar aa; tar -tf e.tar etc/through
docker export aa -o /nosuch/e.tar
docker stop -t 0 aa
docker cp aa:/tmp/running rr; cat rr
docker run -d --name ro --network none --read-only -v /ro-vol busybox sleep 100
docker cp src/f ro:/x
docker cp src/f ro:/ro-vol/x
docker exec ro cat /ro-vol/x
docker rm -fv aa ro

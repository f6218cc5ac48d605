# fish completion of sealpost(1)
set -l commands chat say log room member send submit get file box whoami status version help
set -l none "not __fish_seen_subcommand_from $commands"

complete -c sealpost -f
complete -c sealpost -n $none -a chat -d 'talk in a room, live'
complete -c sealpost -n $none -a say -d 'post a message'
complete -c sealpost -n $none -a log -d 'show what was said in a room or a box'
complete -c sealpost -n $none -a room -d 'rooms'
complete -c sealpost -n $none -a member -d 'members of the team'
complete -c sealpost -n $none -a send -d 'send files to a room'
complete -c sealpost -n $none -a submit -d 'submit files to a box'
complete -c sealpost -n $none -a get -d 'get a file'
complete -c sealpost -n $none -a file -d 'files of a room or a box'
complete -c sealpost -n $none -a box -d 'submission boxes'
complete -c sealpost -n $none -a whoami -d 'show who you are to the server'
complete -c sealpost -n $none -a status -d 'show how the server is doing'
complete -c sealpost -n $none -a version -d 'show the version'
complete -c sealpost -n $none -a help -d 'show help'
complete -c sealpost -n '__fish_seen_subcommand_from room' -a 'list create join leave members topic'
complete -c sealpost -n '__fish_seen_subcommand_from member file' -a list
complete -c sealpost -n '__fish_seen_subcommand_from box' -a 'create list show'
complete -c sealpost -n '__fish_seen_subcommand_from help' -a "$commands"
complete -c sealpost -n '__fish_seen_subcommand_from send submit' -F
complete -c sealpost -n '__fish_seen_subcommand_from send submit' -l name -x -d 'name of the file'
complete -c sealpost -n '__fish_seen_subcommand_from chat log' -s n -l lines -x -d 'this many events'
complete -c sealpost -n '__fish_seen_subcommand_from chat' -l commands -d 'lines of a pipe may be commands'
complete -c sealpost -n '__fish_seen_subcommand_from log' -l after -x -d 'after this sequence number'
complete -c sealpost -n '__fish_seen_subcommand_from log' -l since -x -d 'since this time'
complete -c sealpost -n '__fish_seen_subcommand_from log' -s f -l follow -d 'go on with new events'
complete -c sealpost -n '__fish_seen_subcommand_from get' -s o -l output -r -F -d 'where to'
complete -c sealpost -n '__fish_seen_subcommand_from get' -l force -d 'overwrite an existing file'
complete -c sealpost -l server -x -d 'the server, HOST:PORT'
complete -c sealpost -l cert -r -F -d 'your certificate, or a directory'
complete -c sealpost -l key -r -F -d 'its private key'
complete -c sealpost -l ca -r -F -d "the team's root certificate"
complete -c sealpost -l profile -x -d 'read the settings of a profile'
complete -c sealpost -l json -d 'print one JSON object a line'
complete -c sealpost -l plain -d 'no colour, no columns'
complete -c sealpost -s q -l quiet -d 'say only what went wrong'
complete -c sealpost -s v -l verbose -d 'say more'
complete -c sealpost -l no-color -d 'no colour'
complete -c sealpost -l no-input -d 'never read standard input'
complete -c sealpost -l timeout -x -d 'give up after that many seconds'
complete -c sealpost -s h -l help -d 'show help'
complete -c sealpost -l version -d 'show the version'

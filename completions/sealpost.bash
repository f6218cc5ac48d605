# bash completion of sealpost(1)
_sealpost()
{
    local cur prev word command='' second='' i
    local commands='join chat say log outbox room member device send submit get file box whoami status doctor version help'
    local options='--server --cert --key --ca --profile --json --plain --quiet --verbose --no-color --no-input
        --timeout --passphrase-file --help --version'
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD-1]}
    COMPREPLY=()
    case $prev in
    --cert | --key | --ca | -o | --output)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        compopt -o filenames
        return
        ;;
    --server | --profile | --timeout | -n | --lines | --after | --before | --around | --since | --name | --device | --rooms | --days | --member) return ;;
    --from | --files | --passphrase-file)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        compopt -o filenames
        return
        ;;
    --role)
        mapfile -t COMPREPLY < <(compgen -W 'member administrator' -- "$cur")
        return
        ;;
    esac
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --server | --cert | --key | --ca | --profile | --timeout | -n | --lines | --after | --before | --around | --since | -o | --output | --name | --device | --passphrase-file | --role | --rooms | --days | --from | --files | --member)
            ((i++))
            ;;
        -*) ;;
        *)
            if [[ -z $command ]]; then command=$word; elif [[ -z $second ]]; then second=$word; fi
            ;;
        esac
    done
    if [[ $cur == -* ]]; then
        case $command in
        join) options+=' --device --seal --force' ;;
        chat) options+=' --lines --commands' ;;
        log) options+=' --lines --after --before --around --all --unread --since --follow --offline --accept-history' ;;
        outbox) [[ $second == retry || $second == drop ]] && options+=' --all' ;;
        room) [[ $second == list ]] && options+=' --offline' ;;
        send | submit) options+=' --name --queue' ;;
        get) options+=' --output --force' ;;
        member) [[ $second == invite ]] && options+=' --role --rooms --days --renew --from --csv --files' ;;
        device)
            options+=' --member'
            [[ $second == add ]] && options+=' --days --renew'
            [[ $second == revoke ]] && options+=' --force'
            ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        return
    fi
    case $command in
    '' | help) [[ -z $second ]] && mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
    outbox) [[ -z $second ]] && mapfile -t COMPREPLY < <(compgen -W 'list retry drop' -- "$cur") ;;
    room) [[ -z $second ]] &&
        mapfile -t COMPREPLY < <(compgen -W 'list create join leave members read retention topic' -- "$cur") ;;
    member) [[ -z $second ]] && mapfile -t COMPREPLY < <(compgen -W 'list invite disable enable' -- "$cur") ;;
    device) [[ -z $second ]] && mapfile -t COMPREPLY < <(compgen -W 'list add revoke' -- "$cur") ;;
    file) [[ -z $second ]] && mapfile -t COMPREPLY < <(compgen -W 'list' -- "$cur") ;;
    box) [[ -z $second ]] && mapfile -t COMPREPLY < <(compgen -W 'create list show' -- "$cur") ;;
    send | submit)
        if [[ -n $second ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            compopt -o filenames
        fi
        ;;
    esac
}
complete -F _sealpost sealpost

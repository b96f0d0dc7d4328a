# bash 4.4 or newer completes htdl with this.  There is no list in it: htdl says what may come next.
# What it says is text alone: nothing of it is run, and bash quotes what it inserts.

_htdl() {
    local kind line width=0
    local -a told
    mapfile -t told < <("$1" completion bash -- "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
    kind=${told[0]-}
    told=("${told[@]:1}")
    COMPREPLY=("${told[@]%%$'\t'*}")

    # several of them are listed with what they are; a word alone, or one that is cycled through, is inserted
    if ((${#COMPREPLY[@]} > 1)) && [[ $COMP_TYPE != 37 && $COMP_TYPE != 42 ]]; then
        for line in "${COMPREPLY[@]}"; do ((${#line} > width)) && width=${#line}; done
        COMPREPLY=()
        for line in "${told[@]}"; do
            local word=${line%%$'\t'*} says=${line#*$'\t'}
            says=${says//\//|} # bash shows what follows the last slash
            printf -v line '%-*s  (%s)' "$width" "$word" "$says"
            COMPREPLY+=("${says:+${line:0:${COLUMNS:-80} - 2}}")
            [[ $says ]] || COMPREPLY[-1]=$word
        done
    fi

    # the words are named as files are: what has blanks or quotes in it is quoted
    [[ $kind || ${told[*]%%$'\t'*} == *[!A-Za-z0-9_./-]* ]] && compopt -o filenames
    case $kind in
        files) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$2") ;;
        dirs) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$2") ;;
        torrents) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(
            compgen -d -- "$2"
            compgen -f -X '!*.torrent' -- "$2"
        ) ;;
    esac
}

complete -o nosort -F _htdl htdl

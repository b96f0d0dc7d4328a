# fish completes htdl with this.  There is no list in it: htdl says what may come next.
# What it says is text alone: nothing of it is run, and fish quotes what it inserts.

function __htdl_complete
    set -l typed (commandline --tokenize --current-process --cut-at-cursor) "$(commandline --current-token --cut-at-cursor)"
    set -l told ($typed[1] completion fish -- $typed 2>/dev/null)
    printf '%s\n' $told[2..]
    switch "$told[1]"
        case files
            __fish_complete_path $typed[-1]
        case dirs
            __fish_complete_directories $typed[-1]
        case torrents
            __fish_complete_suffix .torrent
    end
end

complete --command htdl --no-files --keep-order --arguments '(__htdl_complete)'

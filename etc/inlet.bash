# inlet.bash -- completion of `inlet` for bash: verbs, their flags, pipeline files, formats.

_inlet_files() { # Folders, and files that may be pipelines.
    local name
    compopt -o filenames 2>/dev/null
    while IFS= read -r name; do
        if [[ -d $name || $name == *.yaml || $name == *.yml || $name == *.json ]]; then COMPREPLY+=("$name"); fi
    done < <(compgen -f -- "$1")
}

_inlet() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} flags=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "run once check plan status files why history show retry stop options fsck help version --help --version" -- "$word")
        return
    fi
    case $previous in
    --state) mapfile -t COMPREPLY < <(compgen -W "unsettled pending planned prepared committed failed skipped vanished" -- "$word"); return ;;
    --batch | --limit | --timeout) return ;;
    --pipeline | -p) _inlet_files "$word"; return ;;
    --prefix) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    esac
    case $verb in
    files) flags="--state --batch --prefix --limit" ;;
    why) flags="--pipeline -p" ;;
    history) flags="--limit" ;;
    show) flags="--limit --wide" ;;
    stop) flags="--timeout" ;;
    options) flags="--schema --page" ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags --json --quiet -q --verbose -v --help -h" -- "$word")
        return
    fi
    case $verb in
    help) mapfile -t COMPREPLY < <(compgen -W "run once check plan status files why history show retry stop options fsck" -- "$word") ;;
    options) mapfile -t COMPREPLY < <(compgen -W "json csv text cloudFiles parquet delta console foreachBatch conf" -- "$word") ;;
    why | show | history | retry) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    *) _inlet_files "$word" ;;
    esac
}

complete -F _inlet inlet

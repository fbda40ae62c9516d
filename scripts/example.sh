# shellcheck shell=bash
# shellcheck disable=SC2154 # python is of engine.sh, skep and example are of scripts/up
# What scripts/up brings up: $example, by the command $skep. Sourced after engine.sh.

# The keys of a plan in JSON, one a line.
plan_keys() { "$python" -c 'import json, sys; print("\n".join(one["key"] for one in json.load(sys.stdin)))'; }

# Nothing to do is an answer too, and the only one that changes nothing.
apply_example() {
  local planned status=0
  planned=$("$skep" plan -f "$example" -o json) || status=$?
  case $status in
    0) await_example "$planned" ;;
    1)
      say "The example's image: $("$skep" image example -o json | "$python" -c 'import json, sys; print(json.load(sys.stdin)["image"])')"
      "$skep" apply -f "$example" --wait
      ;;
    *) die "$example could not be planned; the reason is above." ;;
  esac
}

# A plan without actions may be one that is carried out just now: a machine that died is being made again.
await_example() {
  local keys
  mapfile -t keys < <(plan_keys <<<"$1")
  if "$skep" wait "${keys[@]}" --timeout 0 2>/dev/null; then
    say "Everything is as $example says: nothing to do."
    return
  fi
  say "Skep has all that $example says, and is bringing back what is missing:"
  "$skep" wait "${keys[@]}" || die "Not all is as $example says; the reason is above."
  say "Everything is as $example says again."
}

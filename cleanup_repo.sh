#!/bin/bash
# Makes this working tree safe to publish: finds secrets and customers' data in what git tracks, in what lies beside it,
# and in git's history, and says what to do about each.
#
#   ./cleanup_repo.sh            looks, changes nothing
#   ./cleanup_repo.sh --apply    stops tracking what must stay private (the files stay where they are), blanks secrets in
#                                tracked text files, completes .gitignore, and removes what can be made again
#
# Secrets are shown by their first four characters only. Ends with 0 when nothing is left to do, else with 1.
# The history is never rewritten by this script: it says how. What was ever published counts as known: change it.
# Made-up secrets of the tests are listed in .fake-secrets, one a line.
set -euo pipefail

apply=false
case "${1:-}" in
	"") ;;
	--apply) apply=true ;;
	*)
		sed -n '2,/^set /p' "$0" | sed '/^set /d; s/^# \?//'
		exit 2
		;;
esac
cd "$(git rev-parse --show-toplevel)"
found=0

# --- What secrets look like: a name, a blank, the pattern (Perl's); \K leaves out what stands before the secret.

name='[A-Z_]*(?:TOKEN|SECRET|HASH|PASSPHRASE|PASSWORD|SESSION_STRING|SECRET_KEY|ACCESS_KEY|CLIENT_ID)'
patterns=(
	'bot-token          (?<![0-9])[0-9]{8,10}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])'
	'session-string     (?<![A-Za-z0-9_/+-])[A-Za-z0-9_-]{340,400}={0,2}(?![A-Za-z0-9_/+=-])'
	'api-hash           (?i)api_?hash["'"'"']?\s*[:=]\s*["'"'"'`]?\K[0-9a-f]{32}(?![0-9a-f])'
	'paypal-token       \bA21AA[A-Za-z0-9_-]{40,}'
	'paypal-credential  (?<![A-Za-z0-9_-])[AE][A-Za-z0-9_-]{79}(?![A-Za-z0-9_-])'
	'private-key        -----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----'
	'aws-key            (?<![A-Z0-9])AKIA[A-Z0-9]{16}(?![A-Z0-9])'
	'github-token       \bgh[pousr]_[A-Za-z0-9]{36,}'
	'ping-address       \bPING_URL["'"'"']?[ \t]*[=:][ \t]*["'"'"'`]?\Khttps://[^\s"'"'"'`<]{12,}'
	"assigned-secret    \b${name}[\"']?[ \t]*[=:][ \t]*[\"'\`]?\K(?!\\\$|<|\\{)(?=[A-Za-z0-9_+/.~-]*[0-9])[A-Za-z0-9_+/.~-]{16,}"
)
private_files='(^|/)(\.env(\.[^/]+)?|settings\.env(\.[^/]+)?|[^/]+\.(db|sqlite3?)([.-][^/]+)?|[^/]+\.(session|session-journal|log|log\.[0-9]+|pem|key)|secret_key(\.before-restore[^/]*)?|logs/[^/]+|backups/[^/]+)$'
harmless_files='(^|/)\.env\.(example|sample|template)(\.[a-z]{2})?$'
ignored=('.env' '.env.*' 'settings.env*' '!.env.example' '*.db' '*.db-*' '*.db.*' '*.session' '*.session-journal' '*.log' '*.pem' '/data/' '__pycache__/' '.venv/')
remade=(__pycache__ .pytest_cache .mypy_cache .ruff_cache .hypothesis)

# --- Telling

say() {
	printf '%s\n' "$*"
}

finding() { # where, what, and what to do
	found=$((found + 1))
	printf '  %-46s %-18s %s\n' "$1" "$2" "$3"
}

masked() {
	printf '%.4s…' "$1"
}

advice() {
	case "$1" in
		bot-token) say '@BotFather: /revoke' ;;
		session-string) say 'Telegram: Settings, Devices, end that session; then make session' ;;
		api-hash) say 'it cannot be changed: keep it out of sight, make a new application if it was published' ;;
		paypal-*) say "developer.paypal.com: the application's page, new secret" ;;
		aws-key | github-token | private-key) say 'revoke it where it was made' ;;
		*) say 'change it' ;;
	esac
}

fakes=$(mktemp)
lines=$(mktemp)
trap 'rm -f "$fakes" "$lines"' EXIT
if [ -f .fake-secrets ]; then
	grep -v '^#' .fake-secrets > "$fakes" || true
fi

is_fake() {
	[ -s "$fakes" ] && grep -qxF -- "$1" "$fakes"
}

# Each secret of one sort on standard input, which holds lines "WHERE<tab>TEXT": prints "WHERE<tab>SECRET".
secrets_in() { # pattern
	{ LC_ALL=C grep -aP -- "$1" || true; } | while IFS=$'\t' read -r where text; do
		while IFS= read -r secret; do
			is_fake "$secret" || printf '%s\t%s\n' "$where" "$secret"
		done < <(printf '%s\n' "$text" | LC_ALL=C grep -aoP -- "$1" || true)
	done
}

# The lines of files named on standard input (ended by NUL), as "FILE:NUMBER<tab>TEXT"; of what is no text, its strings.
lines_of() {
	{ xargs -0 -r grep -anHE --directories=skip '.{16}' -- /dev/null || true; } | tr -d '\000' |
		LC_ALL=C sed -E 's/^([^:]+):([0-9]+):/\1:\2\t/; s/[^[:print:]\t]/ /g'
}

report() { # what was scanned
	local pattern kind where secret
	for pattern in "${patterns[@]}"; do
		kind=${pattern%% *}
		while IFS=$'\t' read -r where secret; do
			finding "$where" "$kind" "$(masked "$secret")  $(advice "$kind")"
		done < <(secrets_in "$(sed -E 's/^[^ ]+ +//' <<< "$pattern")" < "$lines" | sort -u)
	done
}

# --- What git tracks

tracked() {
	git ls-files -z | while IFS= read -r -d '' file; do
		[ -f "$file" ] && [ "$file" != .fake-secrets ] && printf '%s\0' "$file"
	done || true
}

tracked_private() {
	git -c core.quotePath=off ls-files | grep -E -- "$private_files" | grep -vE -- "$harmless_files" || true
}

stop_tracking() {
	local file
	while IFS= read -r file; do
		[ -n "$file" ] || continue
		git rm --quiet --cached -- "$file"
		say "  no longer tracked: $file"
	done < <(tracked_private)
}

blank_secrets() {
	local pattern kind file
	for pattern in "${patterns[@]}"; do
		kind=${pattern%% *}
		[ "$kind" != private-key ] || continue # its first line says where it is; the others are no less secret
		while IFS=$'\t' read -r file secret; do
			file=${file%:*}
			LC_ALL=C grep -qI . -- "$file" || continue
			SECRET=$secret perl -pi -e 's/\Q$ENV{SECRET}\E/REMOVED/g' -- "$file"
			say "  blanked a $kind in $file"
		done < <(tracked | lines_of | secrets_in "$(sed -E 's/^[^ ]+ +//' <<< "$pattern")" | sort -u)
	done
}

complete_gitignore() {
	local rule
	touch .gitignore
	for rule in "${ignored[@]}"; do
		grep -qxF -- "$rule" .gitignore || {
			printf '%s\n' "$rule" >> .gitignore
			say "  added to .gitignore: $rule"
		}
	done
}

remove_remade() {
	local folder
	for folder in "${remade[@]}"; do
		find . -name "$folder" -type d -not -path './.venv/*' -not -path './node_modules/*' -not -path './.git/*' -prune -print0 |
			xargs -0 -r rm -rf --
	done
	say "  removed: ${remade[*]}"
}

if $apply; then
	say 'Changing:'
	stop_tracking
	blank_secrets
	complete_gitignore
	remove_remade
	say
fi

say 'Tracked by git: published with the next push'
while IFS= read -r file; do
	[ -z "$file" ] || finding "$file" private-file 'git rm --cached it (--apply does)'
done < <(tracked_private)
tracked | lines_of > "$lines"
report
for rule in "${ignored[@]}"; do
	grep -qxF -- "$rule" .gitignore 2> /dev/null || finding .gitignore missing-rule "$rule (--apply adds it)"
done

say 'In the history: published with the next push, whatever is deleted now'
while IFS= read -r file; do
	[ -z "$file" ] || finding "$file" private-file 'git filter-repo --invert-paths --path it'
done < <(git -c core.quotePath=off log --all --format= --name-only --diff-filter=AR | sort -u | grep -E -- "$private_files" | grep -vE -- "$harmless_files" || true)
git log --all -m -p --unified=0 --text --no-color --no-ext-diff --format='commit %h%n%B' 2> /dev/null |
	tr -d '\000' | LC_ALL=C awk '
		/^commit [0-9a-f]+$/ { commit = $2; message = 1; next }
		/^diff --git / { message = 0 }
		message { gsub(/[^[:print:]\t]/, " "); print commit ":its message\t" $0; next }
		/^\+\+\+ / { file = substr($0, 7); next }
		/^\+/ && file != ".fake-secrets" && length($0) > 16 { gsub(/[^[:print:]\t]/, " "); print commit ":" file "\t" substr($0, 2) }
	' > "$lines"
git for-each-ref --format='%01%(refname:short)%0a%(contents)' refs/tags | LC_ALL=C awk '
	/^\001/ { tag = substr($0, 2); next }
	{ gsub(/[^[:print:]\t]/, " "); print tag ":its message\t" $0 }
' >> "$lines"
report

say 'Beside it, not tracked: stays here, but goes along when the folder itself is copied or zipped'
before=$found
git ls-files --others -z -- . ':!.venv' ':!node_modules' ':!build' |
	while IFS= read -r -d '' file; do
		[[ $file =~ (^|/)(__pycache__|\.[a-z]+_cache|\.hypothesis)/ ]] || printf '%s\0' "$file"
	done | lines_of > "$lines"
report
beside=$((found - before))
found=$before

say
if ((found == 0)); then
	say 'Nothing that a push would publish.'
	((beside == 0)) || say "$beside secrets lie beside it: publish with git, never by copying the folder."
	exit 0
fi
say "$found to deal with. For what is in the history:"
say '  1. change every secret named above: whoever has a copy of the history has it'
say '  2. pip install git-filter-repo'
say "  3. write each secret into a file outside of this folder, one a line, as  SECRET==>REMOVED"
say '     git filter-repo --replace-text FILE --replace-message FILE'
say '     and for files:  git filter-repo --invert-paths --path NAME'
say '  4. git push --force, and ask everybody to clone again'
exit 1

#!/bin/sh
# Renders the sample pages of the tests in Chromium: as a phone (390 pixels), a desktop, in the dark and on paper.
# usage: screens.sh folder
set -eu
out=$1
mkdir -p "$out"
out=$(cd "$out" && pwd)
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
	echo "screens.sh: needs Chromium (apt-get install chromium)" >&2
	exit 1
}
cd "$(dirname "$0")"
go test -count=1 -run '^TestPages$' . -args -pages="$out"
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
shoot() { # arguments of the browser
	"$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$profile" "$@" >"$profile/log" 2>&1 || {
		cat "$profile/log" >&2
		exit 1
	}
}
for page in failed done several big lost; do
	shoot --window-size=1200,2000 --screenshot="$out/$page-desktop.png" "file://$out/$page.html"
	shoot --force-dark-mode --window-size=1200,2000 --screenshot="$out/$page-dark.png" "file://$out/$page.html"
	# A window cannot be as narrow as a phone; a frame can.
	echo "<body style='margin:0'><iframe src='$page.html' style='border:0;width:390px;height:2000px'></iframe>" >"$out/frame.html"
	shoot --window-size=500,2000 --screenshot="$out/$page-phone.png" "file://$out/frame.html"
	if [ "$page" != big ]; then
		shoot --no-pdf-header-footer --print-to-pdf="$out/$page.pdf" "file://$out/$page.html"
	fi
done
rm "$out/frame.html"
echo "screens.sh: see $out"

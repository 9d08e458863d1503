FROM busybox:latest AS site
COPY . /repository
COPY <<'HTML' /404.html
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Not found</title>
<style>
  body { margin: 0; min-height: 100vh; display: grid; place-content: center; padding: 2rem; font: 1.125rem/1.6 system-ui, sans-serif; background: #fdf3e1; color: #33261b }
  h1 { margin: 0; font: 600 2.25rem/1.2 Charter, Georgia, serif }
  a { color: #9a4a1c }
  @media (prefers-color-scheme: dark) { body { background: #141c2e; color: #f3eadb } a { color: #f0b070 } }
</style>
<main>
  <h1>This page is not on this branch</h1>
  <p>The address may have a typing error, or the page lives on another branch. <a href="/">To the start page</a></p>
</main>
HTML
RUN <<'SHELL'
set -e
for folder in . public dist site; do
  [ -f "/repository/$folder/index.html" ] || continue
  cp -R "/repository/$folder" /site
  [ -f /site/404.html ] || cp /404.html /site/404.html
  find /site -type f -exec chmod 644 {} +
  find /site -type d -exec chmod 755 {} +
  exit
done
echo 'No index.html at the top, nor in public, dist or site' >&2
exit 1
SHELL

FROM busybox:latest
COPY <<'CONF' /etc/httpd.conf
E404:/site/404.html
.html:text/html; charset=utf-8
.htm:text/html; charset=utf-8
.css:text/css; charset=utf-8
.js:text/javascript; charset=utf-8
.mjs:text/javascript; charset=utf-8
.txt:text/plain; charset=utf-8
.md:text/plain; charset=utf-8
.json:application/json
.map:application/json
.webmanifest:application/manifest+json
.xml:application/xml
.svg:image/svg+xml
.webp:image/webp
.avif:image/avif
.ico:image/x-icon
.woff:font/woff
.woff2:font/woff2
.ttf:font/ttf
.wasm:application/wasm
.pdf:application/pdf
.mp4:video/mp4
.webm:video/webm
CONF
COPY --from=site /site /site
USER 65534
EXPOSE 8080
CMD ["httpd", "-f", "-p", "8080", "-h", "/site", "-c", "/etc/httpd.conf"]

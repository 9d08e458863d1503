FROM node:20-slim
WORKDIR /app
ENV NODE_ENV=production PORT=3000

# The packages before the sources, so that a change of the sources alone installs nothing. The repository's own scripts
# (prepare and the like) want its sources and its development packages; only its dependencies' scripts run here.
COPY package.json package-lock.jso[n] npm-shrinkwrap.jso[n] .npmr[c] ./
RUN <<'SHELL'
set -e
node -e 'process.exit(Object.keys({ ...require("./package.json").dependencies }).length ? 0 : 1)' || exit 0
options='--omit=dev --ignore-scripts --no-audit --no-fund'
if [ -f package-lock.json ] || [ -f npm-shrinkwrap.json ]; then npm ci $options; else npm install --no-save $options; fi
npm rebuild
SHELL

COPY --chown=1000:1000 . .
USER 1000
EXPOSE 3000
CMD ["npm", "start", "--silent"]

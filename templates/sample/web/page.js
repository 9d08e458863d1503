// The page, as one string: no file beside it, nothing from elsewhere.

export function page({ greeting, host, visits }) {
  const name = host.split('.')[0].split(':')[0];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${inert(name || 'Treehouse')} · Treehouse</title>
<link rel="icon" href="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='6' r='6' fill='%234d7c5a'/><path d='M7 8h2v8H7z' fill='%237a5236'/></svg>">
<style>${style}</style>
</head>
<body>
<div class="scene" aria-hidden="true">${scene}</div>
<main>
<p class="eyebrow"><span class="dot"></span> This branch is live</p>
<h1>${inert(greeting)}</h1>
<p class="visits">${visitsInWords(visits)}</p>
<dl>
<div><dt>You are at</dt><dd>${inert(host).replaceAll('.', '.<wbr>')}</dd></div>
<div><dt>Behind it</dt><dd>its own Node and Redis</dd></div>
</dl>
<section aria-labelledby="make-it-yours">
<h2 id="make-it-yours">Make it yours</h2>
<pre><code>echo <b>"Hello from my branch"</b> &gt; web/greeting.txt
git commit -am "Say hello"
git push</code></pre>
<p class="hint">Then load this page again. It changes within seconds, and stays as it is should the tests fail.</p>
</section>
</main>
</body>
</html>
`;
}

function visitsInWords(visits) {
  if (visits === undefined) return 'The visitor counter is away. The house stands all the same.';
  if (visits === 1) return 'You are the <strong>first visitor</strong> of this branch: its first visit ever.';
  return `<strong>${visits.toLocaleString('en')}</strong> visits to this branch so far, and no other branch knows of them.`;
}

function inert(text) {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const style = `
:root {
  --sky-1: #fdf3e1; --sky-2: #f6dcc0; --hill-1: #cfd9b4; --hill-2: #a9bf92; --hill-3: #7fa077;
  --leaf-1: #5f8f63; --leaf-2: #4a7a55; --leaf-3: #3c6749; --leaf-light: #86ad78;
  --trunk: #7a5236; --trunk-dark: #5f3e28; --wall: #d9a066; --wall-dark: #b97f49; --roof: #a4492f; --roof-dark: #843822;
  --glow: #fff0b3; --sun: #fbc776; --star: transparent;
  --paper: #fffaf1; --ink: #33261b; --soft: #6b5846; --line: #eadbc3; --code: #f6ead6; --accent: #9a4a1c; --live: #3c7a4a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --sky-1: #141c2e; --sky-2: #33304d; --hill-1: #2b3a45; --hill-2: #22323a; --hill-3: #1a2a2e;
    --leaf-1: #2f5643; --leaf-2: #264a3a; --leaf-3: #1e3d31; --leaf-light: #3c6a50;
    --trunk: #4e382b; --trunk-dark: #3b2a20; --wall: #8a6142; --wall-dark: #6b4a31; --roof: #6e3527; --roof-dark: #56291e;
    --glow: #ffd978; --sun: #f2ead0; --star: #f4ecd8;
    --paper: #1d2130; --ink: #f3eadb; --soft: #c0b3a2; --line: #353a4d; --code: #151926; --accent: #f0b070; --live: #7fc894;
  }
}
* { box-sizing: border-box; margin: 0; }
body {
  min-height: 100vh; color: var(--ink); background: var(--hill-3);
  font: 1.0625rem/1.6 ui-rounded, "SF Pro Rounded", Seravek, "Gill Sans Nova", Ubuntu, Calibri, system-ui, sans-serif;
  display: grid; grid-template: auto 1fr / minmax(0, 1fr);
}
.scene { overflow: hidden; background: linear-gradient(var(--sky-1), var(--sky-2)); }
.scene svg { display: block; width: 100%; height: clamp(260px, 44vh, 460px); overflow: visible; }
.star { fill: var(--star); }
.window { fill: var(--glow); }
main {
  width: min(44rem, 100% - 2rem); margin: -.5rem auto 3rem; padding: clamp(1.5rem, 5vw, 3rem); position: relative; align-self: start;
  background: var(--paper); border: 1px solid var(--line); border-radius: 1.5rem; box-shadow: 0 18px 50px -18px rgb(40 25 10 / .35);
}
.eyebrow { display: inline-flex; align-items: center; gap: .55rem; color: var(--live); font-weight: 600; font-size: .95rem; }
.dot { width: .6rem; height: .6rem; border-radius: 50%; background: currentColor; box-shadow: 0 0 0 .3rem color-mix(in srgb, currentColor 22%, transparent); }
h1 { margin: .6rem 0 .7rem; font: 600 clamp(1.9rem, 6vw, 3rem)/1.15 "Iowan Old Style", Charter, "Palatino Linotype", Palatino, "URW Palladio L", Georgia, serif; letter-spacing: -.01em; text-wrap: balance; overflow-wrap: anywhere; }
.visits { font-size: 1.125rem; color: var(--soft); }
.visits strong { color: var(--accent); }
dl { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1.75rem 0; padding: 1.25rem 0; border-block: 1px solid var(--line); }
dt { color: var(--soft); font-size: .875rem; }
dd { margin: 0; font-weight: 600; font-size: 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.125rem; margin-bottom: .6rem; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: .8rem; padding: 1rem 1.15rem; white-space: pre-wrap; overflow-wrap: anywhere; font: .9rem/1.75 ui-monospace, "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre b { color: var(--accent); font-weight: 600; }
.hint { margin-top: .8rem; color: var(--soft); font-size: .95rem; }
@media (prefers-reduced-motion: no-preference) {
  .sway { animation: sway 7s ease-in-out infinite alternate; transform-origin: 600px 300px; }
  .swing { animation: swing 4s ease-in-out infinite alternate; transform-origin: 735px 262px; }
  .dot { animation: pulse 2.4s ease-out infinite; }
  @keyframes sway { from { transform: rotate(-.5deg) } to { transform: rotate(.5deg) } }
  @keyframes swing { from { transform: rotate(-4deg) } to { transform: rotate(4deg) } }
  @keyframes pulse { from { box-shadow: 0 0 0 0 color-mix(in srgb, currentColor 45%, transparent) } to { box-shadow: 0 0 0 .6rem transparent } }
}
`;

const scene = `<svg viewBox="420 0 360 420" preserveAspectRatio="xMidYMax meet">
<defs><radialGradient id="glow"><stop offset=".3" stop-color="var(--glow)" stop-opacity=".45"/><stop offset="1" stop-color="var(--glow)" stop-opacity="0"/></radialGradient></defs>
<circle cx="738" cy="56" r="27" fill="var(--sun)"/>
<g class="star"><circle cx="340" cy="60" r="1.6"/><circle cx="402" cy="118" r="1.2"/><circle cx="455" cy="40" r="1.8"/><circle cx="690" cy="22" r="1.4"/><circle cx="438" cy="86" r="1.5"/><circle cx="470" cy="30" r="1.1"/><circle cx="846" cy="52" r="1.5"/><circle cx="868" cy="140" r="1.2"/><circle cx="120" cy="90" r="1.5"/><circle cx="210" cy="50" r="1.3"/><circle cx="1010" cy="70" r="1.6"/><circle cx="1100" cy="130" r="1.3"/><circle cx="-60" cy="70" r="1.4"/><circle cx="1240" cy="60" r="1.4"/></g>
<path d="M-2400 280C-1700 330 -900 220 -300 290C100 330 250 330 460 290C640 255 780 258 960 300C1200 345 1500 260 1900 270C2500 285 3000 320 3600 270V430H-2400Z" fill="var(--hill-1)"/>
<path d="M-2400 340C-1600 300 -900 380 -300 345C0 325 200 310 420 342C600 368 760 330 920 318C1150 300 1400 370 1800 340C2400 300 3000 350 3600 330V430H-2400Z" fill="var(--hill-2)"/>
<g fill="var(--leaf-3)" opacity=".55"><path d="M352 340l22-62 22 62zM384 344l17-48 17 48zM846 330l20-56 20 56zM828 332l14-40 14 40zM110 340l22-62 22 62zM1040 328l22-62 22 62zM1076 330l16-44 16 44zM1320 345l22-62 22 62zM-130 345l20-56 20 56zM-100 346l15-42 15 42z"/></g>
<g class="sway">
<path d="M577 400Q588 320 574 240L560 190L584 214L590 150H612L616 222L650 180L634 240Q616 330 630 400Z" fill="var(--trunk)"/>
<path d="M606 400Q612 320 604 250L616 222L634 240Q616 330 630 400Z" fill="var(--trunk-dark)"/>
<g fill="var(--leaf-3)"><circle cx="500" cy="160" r="58"/><circle cx="700" cy="160" r="60"/><circle cx="600" cy="92" r="74"/></g>
<g fill="var(--leaf-2)"><circle cx="540" cy="112" r="62"/><circle cx="662" cy="112" r="62"/><circle cx="736" cy="196" r="40"/><circle cx="468" cy="198" r="38"/></g>
<g fill="var(--leaf-1)"><circle cx="578" cy="72" r="46"/><circle cx="640" cy="74" r="42"/><circle cx="506" cy="140" r="36"/><circle cx="704" cy="140" r="36"/></g>
<g fill="var(--leaf-light)" opacity=".7"><circle cx="560" cy="58" r="16"/><circle cx="626" cy="50" r="12"/><circle cx="492" cy="124" r="12"/><circle cx="694" cy="118" r="13"/><circle cx="528" cy="92" r="9"/></g>
<path d="M520 262L560 300M680 262L628 304" stroke="var(--trunk-dark)" stroke-width="9" stroke-linecap="round"/>
<rect x="490" y="252" width="258" height="12" rx="4" fill="var(--trunk-dark)"/>
<rect x="524" y="164" width="138" height="88" fill="var(--wall)"/>
<path d="M524 182h138M524 200h138M524 218h138M524 236h138" stroke="var(--wall-dark)" stroke-width="2" opacity=".6"/>
<path d="M508 170L593 104L678 170Z" fill="var(--roof)"/>
<path d="M593 104L678 170H652L593 122Z" fill="var(--roof-dark)"/>
<rect class="window" x="542" y="190" width="36" height="34" rx="3"/>
<path d="M560 190v34M542 207h36" stroke="var(--trunk-dark)" stroke-width="3"/>
<rect x="540" y="188" width="40" height="38" rx="4" fill="none" stroke="var(--trunk-dark)" stroke-width="4"/>
<circle cx="560" cy="207" r="44" fill="url(#glow)"/>
<path d="M608 252V206a16 16 0 0 1 32 0V252Z" fill="var(--roof-dark)"/><circle cx="633" cy="230" r="2.6" fill="var(--glow)"/>
<circle class="window" cx="593" cy="144" r="10"/><circle cx="593" cy="144" r="10" fill="none" stroke="var(--trunk-dark)" stroke-width="3.5"/>
<path d="M676 252V228M700 252V228M724 252V228M744 252V228M672 230H748M506 252V228M494 252V228M490 230H522" stroke="var(--trunk-dark)" stroke-width="4" stroke-linecap="round"/>
<path d="M540 264V398M562 264V398M540 284h22M540 304h22M540 324h22M540 344h22M540 364h22M540 384h22" stroke="var(--wall-dark)" stroke-width="4.5" stroke-linecap="round"/>
<g class="swing"><path d="M722 262V344M748 262V344" stroke="var(--trunk-dark)" stroke-width="2.5"/><rect x="714" y="342" width="42" height="7" rx="3" fill="var(--wall-dark)"/></g>
</g>
<path d="M-2400 384Q-1400 396 -600 384T600 384T1800 380T3600 384V430H-2400Z" fill="var(--hill-3)"/>
</svg>`;

/** The style and the script of the status page, kept apart because their hashes stand in its Content-Security-Policy. */
export const PAGE_STYLE = `
:root{--bg:#f7f7f5;--card:#fff;--ink:#1c1d1f;--quiet:#6b7075;--line:#e4e4e0;--ok:#1f8a4c;--warn:#b7791f;--bad:#c8322b;--busy:#2563c9;--none:#80868c}
@media(prefers-color-scheme:dark){:root{--bg:#131416;--card:#1c1e21;--ink:#ececea;--quiet:#9aa0a6;--line:#2d3034;--ok:#4cc38a;--warn:#e0a63c;--bad:#ff6b61;--busy:#6ea1ff;--none:#8b9197}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main,footer{max-width:60rem;margin:0 auto;padding:1.25rem}
header{padding:1.5rem;border-radius:14px;background:var(--card);border:1px solid var(--line);border-left:10px solid var(--tone)}
main{--tone:var(--none)}main.ok{--tone:var(--ok)}main.suspect,main.degraded,main.maintenance{--tone:var(--warn)}main.failing{--tone:var(--bad)}main.healing{--tone:var(--busy)}
.site{margin:0;color:var(--quiet)}h1{margin:.1em 0;font-size:clamp(2.6rem,9vw,4.5rem);line-height:1;color:var(--tone);letter-spacing:-.02em}
.cause{margin:.4em 0}.summary{font-size:1.15rem;margin:.4em 0}h2{font-size:1rem;margin:0 0 .6rem}.quiet{color:var(--quiet);margin:.2em 0}
section{margin-top:1rem;padding:1.1rem 1.25rem;border-radius:14px;background:var(--card);border:1px solid var(--line)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.5rem .7rem .5rem 0;border-top:1px solid var(--line);vertical-align:top;font-weight:normal}thead th{border:0;color:var(--quiet);font-size:.9rem}tbody th{font-weight:600}
.dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.5em;background:var(--none)}.dot.ok{background:var(--ok)}.dot.failed,.dot.failing{background:var(--bad)}.dot.suspect,.dot.degraded,.dot.maintenance{background:var(--warn)}.dot.healing{background:var(--busy)}
code,pre{font:.85em ui-monospace,monospace}pre{background:var(--bg);padding:.6rem;border-radius:8px;overflow-x:auto;white-space:pre-wrap}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.7rem;margin:0}dt{color:var(--quiet);font-size:.85rem}dd{margin:0;overflow-wrap:anywhere}
.events{list-style:none;margin:0;padding:0}.events li{display:grid;grid-template-columns:9rem 1fr auto;gap:.8rem;padding:.6rem 0;border-top:1px solid var(--line)}.events li:first-child{border:0}.events p{margin:.1em 0}.kind{color:var(--quiet);font-size:.9rem}time{color:var(--quiet);font-size:.85rem;white-space:nowrap}
@media(max-width:40rem){.events li{grid-template-columns:1fr}}a{color:inherit}
`;

export const PAGE_SCRIPT = `
"use strict";
let busy=false,again=false;
async function refresh(){if(busy){again=true;return}busy=true;
try{const r=await fetch("/",{headers:{accept:"text/html"},cache:"no-store"});if(!r.ok)throw 0;const d=new DOMParser().parseFromString(await r.text(),"text/html");const m=d.querySelector("main");if(m)document.querySelector("main").replaceWith(document.adoptNode(m));document.title=d.title}
catch{document.title="no answer · hairpin";const m=document.querySelector("main");m.className="";m.querySelector("h1").textContent="no answer";const p=m.querySelector(".summary");if(p)p.textContent="The hub does not answer. What stands below is what it said last."}
busy=false;if(again){again=false;setTimeout(refresh,250)}}
setInterval(refresh,5000);
try{const s=new EventSource("/v1/events/stream");s.onmessage=refresh;for(const k of ["failing","recovered","cause_changed","heal_started","heal_succeeded","heal_failed","held","asked_for_help","guard_repaired","guard_stopped","vantage_silent","vantage_back","paused","resumed"])s.addEventListener(k,refresh)}catch{}
`;

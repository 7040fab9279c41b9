// Points by WebGL, or into an image where there is none, or none that is quick.
// Each has a colour and a state: 0 hidden, 1 pale, 2 lit, 3 selected, which is larger and has a rim.
const VERTEX = `
attribute vec2 place; attribute vec3 tint; attribute float state;
uniform vec2 middle, scale; uniform float turn; uniform mediump float size;
varying vec3 colour;
void main() {
  gl_Position = abs(state - turn) < 0.5 ? vec4((place - middle) * scale, 0.0, 1.0) : vec4(9.0, 9.0, 9.0, 1.0);
  gl_PointSize = size;
  colour = tint;
}`;
const FRAGMENT = `
precision mediump float;
varying vec3 colour; uniform float opacity; uniform mediump float size; uniform vec4 flat_;
void main() {
  float gap = length(gl_PointCoord - 0.5) * size;
  float cover = clamp(size * 0.5 - gap + 0.5, 0.0, 1.0) * opacity;
  gl_FragColor = vec4(mix(colour, flat_.rgb, flat_.a) * cover, cover);
}`;
const RIM = 3;   // pixels by which a selected point is wider, half of them on each side

class GlPoints {
  constructor(canvas, places, ground, asked) {
    const gl = canvas.getContext("webgl", {
      antialias: false, premultipliedAlpha: true, failIfMajorPerformanceCaveat: !asked,
    });
    if (!gl || (!asked && inSoftware(gl))) throw new Error("no WebGL, or none that is quick");
    Object.assign(this, { gl, canvas, ground, count: places.length / 2 });
    const program = this.program();
    const names = ["middle", "scale", "size", "turn", "opacity", "flat_"];
    this.uniforms = Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(program, name)]));
    const buffer = (name, width, kind, even) => {
      const made = gl.createBuffer();
      const place = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, made);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, width, kind, even, 0, 0);
      return made;
    };
    this.placeBuffer = buffer("place", 2, gl.FLOAT, false);
    this.tintBuffer = buffer("tint", 3, gl.UNSIGNED_BYTE, true);
    this.stateBuffer = buffer("state", 1, gl.UNSIGNED_BYTE, false);
    this.fill(this.placeBuffer, places);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  program() {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error("no WebGL program");
    gl.useProgram(program);
    return program;
  }

  fill(buffer, values) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, buffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, values, this.gl.DYNAMIC_DRAW);
  }

  look(tints, states) {
    this.fill(this.tintBuffer, tints);
    this.fill(this.stateBuffer, states);
    this.has = [1, 2, 3].map((turn) => states.includes(turn));
  }

  draw(view, size) {
    const { gl, uniforms, canvas } = this;
    const [pale, , selected] = this.has;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform2f(uniforms.middle, view.x, view.y);
    gl.uniform2f(uniforms.scale, (2 * view.scale) / view.width, (2 * view.scale) / view.height);
    const plain = [0, 0, 0, 0];
    if (pale) this.turn(1, 0.12, size, plain);
    this.turn(2, pale ? 0.9 : 0.8, size, plain);
    if (!selected) return;
    const [red, green, blue] = this.ground().map((part) => (part < 128 ? 1 : 0.11));
    this.turn(3, 1, size + 2 * RIM, [red, green, blue, 1]);
    this.turn(3, 1, size + RIM, plain);
  }

  turn(state, opacity, size, flat) {
    const { gl, uniforms } = this;
    gl.uniform1f(uniforms.turn, state);
    gl.uniform1f(uniforms.opacity, opacity);
    gl.uniform1f(uniforms.size, size * (window.devicePixelRatio || 1));
    gl.uniform4f(uniforms.flat_, ...flat);
    gl.drawArrays(gl.POINTS, 0, this.count);
  }
}

// Whether a driver without a graphics processor behind it says so by its name; not all are told by the flag alone.
const inSoftware = (gl) => {
  const named = gl.getExtension("WEBGL_debug_renderer_info");
  return named !== null && /swiftshader|llvmpipe|softpipe|software|basic render/i.test(gl.getParameter(named.UNMASKED_RENDERER_WEBGL));
};

class PlainPoints {
  constructor(canvas, places, ground) {
    Object.assign(this, { canvas, places, ground, count: places.length / 2 });
    this.to = canvas.getContext("2d");
  }

  // Rows by state, so that a frame asks none for its own; colours as they are on the ground.
  look(tints, states) {
    const colours = new Uint32Array(this.count);
    const rows = new Uint32Array(this.count);
    const ground = this.ground();
    const ends = [0];
    let found = 0;
    for (const turn of [1, 2, 3]) {
      const share = turn === 1 ? 0.15 : 1;
      const [red, green, blue] = ground.map((part) => part * (1 - share) + 0.5);
      for (let row = 0; row < this.count; row++) {
        if (states[row] !== turn) continue;
        const at = 3 * row;
        colours[row] = (0xff << 24 | (blue + tints[at + 2] * share) << 16 | (green + tints[at + 1] * share) << 8
          | (red + tints[at] * share)) >>> 0;
        rows[found++] = row;
      }
      ends.push(found);
    }
    Object.assign(this, { colours, rows, ends });
    this.rim = ground[0] < 128 ? 0xffffffff : 0xff1e1c1c;
  }

  draw(view, size) {
    const { canvas, to, ends } = this;
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = canvas;
    if (!this.image || this.image.width !== width || this.image.height !== height) {
      this.image = to.createImageData(width, height);
      this.cells = new Uint32Array(this.image.data.buffer);
    }
    this.cells.fill(0);
    this.stamp(view, Math.max(1, Math.round(size * ratio)), 0, ends[2]);
    if (ends[3] > ends[2]) {
      this.stamp(view, Math.round((size + 2 * RIM) * ratio), ends[2], ends[3], this.rim);
      this.stamp(view, Math.round((size + RIM) * ratio), ends[2], ends[3]);
    }
    to.putImageData(this.image, 0, 0);
  }

  stamp(view, side, from, to, flat = 0) {
    const { places, rows, colours, cells } = this;
    const { width, height } = this.canvas;
    const scale = view.scale * (window.devicePixelRatio || 1);
    const [x, y] = [width / 2 - view.x * scale - side / 2, height / 2 + view.y * scale - side / 2];
    const [most, lowest] = [width - side, height - side];
    const insets = insetsOf(side);
    for (let at = from; at < to; at++) {
      const row = rows[at];
      const left = Math.round(x + places[2 * row] * scale);
      const top = Math.round(y - places[2 * row + 1] * scale);
      if (left < 0 || top < 0 || left > most || top > lowest) continue;
      const colour = flat || colours[row];
      for (let down = 0; down < side; down++) {
        const start = (top + down) * width + left;
        const end = start + side - insets[down];
        for (let cell = start + insets[down]; cell < end; cell++) cells[cell] = colour;
      }
    }
  }
}

// How far each line of a dot of that many pixels begins from its left side.
const insetsOf = (side) => Array.from({ length: side }, (_, down) => {
  const up = Math.abs(down + 0.5 - side / 2);
  if (side < 4) return side === 3 && down !== 1 ? 1 : 0;
  return Math.max(0, Math.round(side / 2 - Math.sqrt(Math.max(0, (side / 2) ** 2 - up * up))));
});

// *way* says "webgl" for WebGL even where it is slow, "canvas" for none; else what is quicker is taken.
export const pointsOn = (canvas, { places, ground, way }) => {
  if (way !== "canvas") {
    try {
      return new GlPoints(canvas, places, ground, way === "webgl");
    } catch { /* the other way draws the same */ }
  }
  const fresh = canvas.cloneNode();  // a canvas that was asked for WebGL may refuse anything else
  canvas.replaceWith(fresh);
  return new PlainPoints(fresh, places, ground);
};

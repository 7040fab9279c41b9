// Points by WebGL, or into an image where there is none.  Each has a colour and a state: 1 pale, 2 lit.
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
varying vec3 colour; uniform float opacity; uniform mediump float size;
void main() {
  float gap = length(gl_PointCoord - 0.5) * size;
  float cover = clamp(size * 0.5 - gap + 0.5, 0.0, 1.0) * opacity;
  gl_FragColor = vec4(colour * cover, cover);
}`;

class GlPoints {
  constructor(canvas) {
    const gl = canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true });
    if (!gl) throw new Error("no WebGL");
    this.gl = gl;
    this.canvas = canvas;
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
    this.at = (name) => gl.getUniformLocation(program, name);
    this.uniforms = Object.fromEntries(["middle", "scale", "size", "turn", "opacity"].map((name) => [name, this.at(name)]));
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

  fill(buffer, values) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, buffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, values, this.gl.DYNAMIC_DRAW);
  }

  look(tints, states) {
    this.fill(this.tintBuffer, tints);
    this.fill(this.stateBuffer, states);
    this.pale = states.includes(1);
  }

  draw(view, size) {
    const { gl, uniforms, canvas } = this;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform2f(uniforms.middle, view.x, view.y);
    gl.uniform2f(uniforms.scale, (2 * view.scale) / view.width, (2 * view.scale) / view.height);
    for (const [turn, opacity] of this.pale ? [[1, 0.12], [2, 0.9]] : [[2, 0.8]]) {
      gl.uniform1f(uniforms.turn, turn);
      gl.uniform1f(uniforms.opacity, opacity);
      gl.uniform1f(uniforms.size, size * (window.devicePixelRatio || 1));
      gl.drawArrays(gl.POINTS, 0, count);
    }
  }
}

class PlainPoints {
  constructor(canvas) {
    this.canvas = canvas;
    this.to = canvas.getContext("2d");
  }

  look(tints, states) {
    this.states = states;
    this.colours = new Uint32Array(count);
    const [red, green, blue] = paper();
    for (let row = 0; row < count; row++) {
      const share = states[row] === 1 ? 0.15 : 1;
      const mix = (part, ground) => Math.round(ground + (part - ground) * share);
      this.colours[row] = (0xff << 24 | mix(tints[3 * row + 2], blue) << 16 | mix(tints[3 * row + 1], green) << 8
        | mix(tints[3 * row], red)) >>> 0;
    }
  }

  draw(view, size) {
    const { canvas, to, states, colours } = this;
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = canvas;
    if (!this.image || this.image.width !== width || this.image.height !== height) {
      this.image = to.createImageData(width, height);
      this.cells = new Uint32Array(this.image.data.buffer);
    }
    this.cells.fill(0);
    const side = Math.max(1, Math.round(size * ratio));
    const scale = view.scale * ratio;
    for (const turn of [1, 2]) {
      for (let row = 0; row < count; row++) {
        if (states[row] !== turn) continue;
        const left = Math.round(width / 2 + (places[2 * row] - view.x) * scale - side / 2);
        const top = Math.round(height / 2 - (places[2 * row + 1] - view.y) * scale - side / 2);
        if (left < 0 || top < 0 || left + side > width || top + side > height) continue;
        for (let y = top; y < top + side; y++) this.cells.fill(colours[row], y * width + left, y * width + left + side);
      }
    }
    to.putImageData(this.image, 0, 0);
  }
}

const pointsOn = (canvas) => {
  if (!location.hash.includes("canvas")) {
    try {
      return new GlPoints(canvas);
    } catch { /* the other way draws the same */ }
  }
  const fresh = canvas.cloneNode();  // a canvas that was asked for WebGL may refuse anything else
  canvas.replaceWith(fresh);
  return new PlainPoints(fresh);
};

// Colours as three parts 0 to 255, and what the ground makes of them.
export const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
export const css = (parts) => `rgb(${parts.map(Math.round).join(" ")})`;

// On a dark ground colours are drawn towards white, or the deepest would be lost.
export const onGround = (parts, dark) => (dark ? parts.map((part) => part + (255 - part) * 0.32) : parts);

export const groundOf = (dark) => (dark ? [24, 24, 26] : [251, 251, 250]);
export const inkOf = (dark) => (dark ? "#ececee" : "#1c1c1e");

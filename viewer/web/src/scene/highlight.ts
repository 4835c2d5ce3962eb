import { BoxGeometry, EdgesGeometry, LineBasicMaterial, LineSegments, Mesh, MeshBasicMaterial, RingGeometry, type Matrix4, type Scene, type Vector3 } from "three";

const COLOR = 0xffd27a;

/** Shows what is meant: the edges of a thing, or a ring at the feet of a person. */
export class Highlight {
  readonly edges = new LineSegments(new EdgesGeometry(new BoxGeometry(1.02, 1.02, 1.02)), new LineBasicMaterial({ color: COLOR, depthTest: false, transparent: true, opacity: 0.9 }));
  readonly ring = new Mesh(new RingGeometry(0.42, 0.5, 40), new MeshBasicMaterial({ color: COLOR, transparent: true, opacity: 0.85, depthWrite: false }));

  constructor(scene: Scene) {
    for (const each of [this.edges, this.ring]) {
      each.visible = false;
      each.renderOrder = 6;
      each.raycast = () => {};
      scene.add(each);
    }
    this.edges.matrixAutoUpdate = false;
  }

  none(): void {
    this.edges.visible = this.ring.visible = false;
  }

  /** A thing whose unit cube stands so in the scene. */
  thing(place: Matrix4): void {
    this.ring.visible = false;
    this.edges.visible = true;
    this.edges.matrix.copy(place);
    this.edges.matrixWorldNeedsUpdate = true;
  }

  person(feet: Vector3): void {
    this.edges.visible = false;
    this.ring.visible = true;
    this.ring.position.copy(feet);
  }
}

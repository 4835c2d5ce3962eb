from sim.physics.engine import box


def prim_shape(params, scale): return box(*scale)

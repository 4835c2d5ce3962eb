import numpy as np

from sim.physics import avatars as av
from sim.physics.engine import HIT_DTYPE


class NumbaEngine:
    def __init__(self):
        self.moved=np.zeros(0,np.int64); self.n=0; self.open_sides=np.zeros((3,3),np.uint8); self.water_height=20
    def set_terrain(self,h): self.h=h
    def add(self,spec): self.n+=1; return self.n-1
    def remove(self,h): pass
    def set_pose(self,*a): pass
    def set_velocity(self,*a): pass
    def step(self,dt,rows):
        if len(rows): av._step(rows,self.h,self.open_sides,dt)
    def raycast(self,o,d,l,mask): return np.zeros(0,HIT_DTYPE)

def test_opens(world):
    world.add_file("door.lsl")
    world.settle()
    world.touch()
    assert world.said == ["open"]

"""What a region keeps: everything that stands in it, written behind the frame into one SQLite file in the region's folder.

    file       the database: tables, opening and checking it, reading all of it, putting a damaged one aside
    batch      what is to be written, merged until it is
    writer     the thread that commits a batch at most every 200 ms, and goes on trying when the disk does not take it
    keeping    the frame's share: what changed is encoded within a small budget and given to the writer
    standing   what was kept stands in the world again
    land       parcels and the region's own settings as rows

The world's thread never waits for the disk. What is promised after a kill, and what not, is in decision 0021.
"""

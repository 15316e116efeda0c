"""From raw tables to batches. `store.prepare.prepare` is the way in; it goes, once for each content of the source:

source      lazy raw tables, named by a config (`recsys.source`)
prepare     looks for the store that was made of these files and settings before; if there is none:
  validate    checks files, columns and rows; refuses them or sets bad rows aside (`check`)
  build       writes the arrays of a store into an empty folder (`store.build`):
                spool the interactions into one file, number users and items, split and order rows, encode column by column
  publish     gives the folder its name in one step (`recsys.disk.folders.build_once`)
Store       opens the folder as memory-mapped arrays (`store`)
DataModule  hands out batches of it, and what tasks, baselines and reports ask of the data (`read`)
"""

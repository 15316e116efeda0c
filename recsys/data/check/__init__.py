"""Faults of data, all of one pass reported together. The files in the order in which they are read, each of them once:

validate            raw tables: rules, one check a table, ids that do not meet between tables, then refuse them or set rows aside
    column_rules        what columns must hold: ids, labels and time here, features in `recsys.schema.kind`
    table_check         one table: its files, its columns, its rows
        file_faults
split_faults        numbered and split rows, checked while the store is built
leaked_labels       features that tell a label by themselves, measured on a store
"""

"""Faults of data, all of one pass reported together. The files in the order in which they are read, each of them once:

validate            raw tables: rules, one check a table, faults between tables, then refuse them or set rows aside
    column_rules        what columns must hold: ids, labels and time here, features in `recsys.schema.kind`
    table_check         one table: its files, its columns, its rows
        file_faults
        column_faults
        row_faults
    between_tables      ids that do not meet, interactions from before their user or item was known
split_faults        numbered and split rows, checked while the store is built
leaked_labels       features that tell a label by themselves, measured on a store
    feature_auc
"""
